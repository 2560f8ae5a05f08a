"""Application of argoproj.io/v1alpha1, field by field (Argo CD 3.6).

Sources: the published CRDs for what is required and of which type, the Go types for what is written when
empty.
"""

from __future__ import annotations

from hub.core.schema.schema import (
    ANY,
    FLAG,
    OBJECT,
    OPTIONAL_FLAG,
    OPTIONAL_TEXT,
    OPTIONAL_WHOLE,
    TEXT,
    TEXT_MAP,
    TEXTS,
    WHOLE,
    WHOLE_OR_TEXT,
    ListOf,
    MapOf,
    held,
    hinted,
    keeping,
    loose,
    omitted_when_zero,
    struct,
    text_with,
)

GROUP_VERSION = "argoproj.io/v1alpha1"

_NAME_VALUE = struct(name__=TEXT, value__=TEXT)
_JSONNET_VAR = struct(name__=TEXT, value__=TEXT, code=FLAG)
HELM = struct(
    valueFiles=TEXTS,
    parameters=ListOf(struct(name=TEXT, value=TEXT, forceString=FLAG)),
    releaseName=TEXT,
    values=TEXT,
    fileParameters=ListOf(struct(name=TEXT, path=TEXT)),
    version=TEXT,
    passCredentials=FLAG,
    ignoreMissingValueFiles=FLAG,
    skipCrds=FLAG,
    valuesObject=OBJECT,
    namespace=TEXT,
    kubeVersion=TEXT,
    apiVersions=TEXTS,
    skipTests=FLAG,
    skipSchemaValidation=FLAG,
)
KUSTOMIZE = struct(
    namePrefix=TEXT,
    nameSuffix=TEXT,
    images=TEXTS,
    commonLabels=TEXT_MAP,
    version=TEXT,
    commonAnnotations=TEXT_MAP,
    forceCommonLabels=FLAG,
    forceCommonAnnotations=FLAG,
    namespace=TEXT,
    commonAnnotationsEnvsubst=FLAG,
    replicas=ListOf(struct(name__=TEXT, count__=WHOLE_OR_TEXT)),
    patches=ListOf(
        struct(
            path=TEXT,
            patch=TEXT,
            target=struct(
                group=TEXT,
                version=TEXT,
                kind=TEXT,
                name=TEXT,
                namespace=TEXT,
                annotationSelector=TEXT,
                labelSelector=TEXT,
            ),
            options=MapOf(FLAG),
        )
    ),
    components=TEXTS,
    ignoreMissingComponents=FLAG,
    labelWithoutSelector=FLAG,
    kubeVersion=TEXT,
    apiVersions=TEXTS,
    labelIncludeTemplates=FLAG,
)
DIRECTORY = struct(
    recurse=FLAG,
    jsonnet=omitted_when_zero(struct(extVars=ListOf(_JSONNET_VAR), tlas=ListOf(_JSONNET_VAR), libs=TEXTS)),
    exclude=TEXT,
    include=TEXT,
    disableExtensionFilter=FLAG,
)
PLUGIN = struct(
    name=TEXT,
    env=ListOf(_NAME_VALUE),
    parameters=ListOf(
        hinted(
            keeping(
                struct(
                    name=TEXT,
                    string=OPTIONAL_TEXT,
                    map=MapOf(TEXT, pointer=True),
                    array=ListOf(TEXT, pointer=True),
                ),
                "name",
            ),
            value="a plugin parameter has string, array or map",
        )
    ),
)
SOURCE = struct(
    repoURL__=TEXT,
    path=TEXT,
    targetRevision=TEXT,
    helm=HELM,
    kustomize=KUSTOMIZE,
    directory=DIRECTORY,
    plugin=PLUGIN,
    chart=TEXT,
    ref=TEXT,
    name=TEXT,
    tagPrefix=TEXT,
)
_HYDRATOR = struct(
    drySource__=held(
        struct(
            repoURL__=TEXT,
            targetRevision__=TEXT,
            path__=TEXT,
            helm=HELM,
            kustomize=KUSTOMIZE,
            directory=DIRECTORY,
            plugin=PLUGIN,
        )
    ),
    syncSource__=held(struct(targetBranch__=TEXT, path__=text_with("^.{2,}|[^./]$"), repoURL=TEXT)),
    hydrateTo=struct(targetBranch__=TEXT),
)
_RETRY = struct(
    limit=WHOLE,
    backoff=struct(duration=TEXT, factor=OPTIONAL_WHOLE, maxDuration=TEXT),
    refresh=FLAG,
)
SYNC_POLICY = hinted(
    struct(
        automated=struct(
            prune=OPTIONAL_FLAG, selfHeal=OPTIONAL_FLAG, allowEmpty=OPTIONAL_FLAG, enabled=OPTIONAL_FLAG
        ),
        syncOptions=TEXTS,
        retry=_RETRY,
        managedNamespaceMetadata=struct(labels=TEXT_MAP, annotations=TEXT_MAP),
    ),
    preserveResourcesOnDeletion="it belongs to spec.syncPolicy of the ApplicationSet",
)
APPLICATION_SPEC = hinted(
    struct(
        source=SOURCE,
        destination__=held(struct(server=TEXT, namespace=TEXT, name=TEXT)),
        project__=TEXT,
        syncPolicy=SYNC_POLICY,
        ignoreDifferences=ListOf(
            struct(
                group=TEXT,
                kind__=TEXT,
                name=TEXT,
                namespace=TEXT,
                jsonPointers=TEXTS,
                jqPathExpressions=TEXTS,
                managedFieldsManagers=TEXTS,
            )
        ),
        info=ListOf(_NAME_VALUE),
        revisionHistoryLimit=OPTIONAL_WHOLE,
        sources=ListOf(SOURCE),
        sourceHydrator=_HYDRATOR,
    ),
    helm="it belongs to spec.source",
    kustomize="it belongs to spec.source",
    directory="it belongs to spec.source",
    spec="a spec inside spec",
)
OPERATION = struct(
    sync=struct(
        revision=TEXT,
        revisions=TEXTS,
        prune=FLAG,
        dryRun=FLAG,
        syncStrategy=struct(apply=struct(force=FLAG), hook=struct(force=FLAG)),
        resources=ListOf(struct(group=TEXT, kind__=TEXT, name__=TEXT, namespace=TEXT)),
        source=SOURCE,
        sources=ListOf(SOURCE),
        manifests=TEXTS,
        syncOptions=TEXTS,
        autoHealAttemptsCount=WHOLE,
    ),
    initiatedBy=struct(username=TEXT, automated=FLAG),
    info=ListOf(_NAME_VALUE),
    retry=_RETRY,
)
OBJECT_META = loose(
    struct(
        name=TEXT,
        generateName=TEXT,
        namespace=TEXT,
        labels=TEXT_MAP,
        annotations=TEXT_MAP,
        finalizers=TEXTS,
    )
)
APPLICATION = struct(
    apiVersion__=TEXT,
    kind__=TEXT,
    metadata__=OBJECT_META,
    spec__=APPLICATION_SPEC,
    status=ANY,
    operation=OPERATION,
)
