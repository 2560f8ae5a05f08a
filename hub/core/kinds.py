"""Application and ApplicationSet of argoproj.io/v1alpha1, field by field (Argo CD 3.6).

Sources: the published CRDs for what is required and of which type, the Go types for what is written when
empty.
"""

from __future__ import annotations

from hub.core.schema import (
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
    Shape,
    choice,
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
_OBJECT_META = loose(
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
    metadata__=_OBJECT_META,
    spec__=APPLICATION_SPEC,
    status=ANY,
    operation=OPERATION,
)

TEMPLATE = held(
    struct(
        metadata__=held(
            struct(name=TEXT, namespace=TEXT, labels=TEXT_MAP, annotations=TEXT_MAP, finalizers=TEXTS)
        ),
        spec__=APPLICATION_SPEC,
    )
)
LABEL_SELECTOR = struct(
    matchLabels=TEXT_MAP,
    matchExpressions=ListOf(struct(key__=TEXT, operator__=TEXT, values=TEXTS)),
)
_SECRET_REF = hinted(
    struct(secretName__=TEXT, key__=TEXT), labels="labels belongs beside tokenRef, not under it"
)
_CONFIG_MAP_KEY = struct(configMapName__=TEXT, key__=TEXT)
_BASIC_AUTH = struct(username__=TEXT, passwordRef__=_SECRET_REF)
_BEARER = struct(tokenRef__=_SECRET_REF)
_PATH_ITEM = struct(path__=TEXT, exclude=FLAG)
_COMMON: dict[str, Shape] = {"template": TEMPLATE, "values": TEXT_MAP, "requeueAfterSeconds": OPTIONAL_WHOLE}

LIST = struct(elements=ListOf(ANY), elementsYaml=TEXT, template=TEMPLATE)
CLUSTERS = struct(selector=LABEL_SELECTOR, template=TEMPLATE, values=TEXT_MAP, flatList=FLAG)
GIT = struct(
    repoURL__=TEXT,
    revision__=TEXT,
    directories=ListOf(_PATH_ITEM),
    files=ListOf(_PATH_ITEM),
    pathParamPrefix=TEXT,
    **_COMMON,
)
CLUSTER_DECISION = struct(configMapRef__=TEXT, name=TEXT, labelSelector=LABEL_SELECTOR, **_COMMON)
PLUGIN_GENERATOR = struct(
    configMapRef__=struct(name__=TEXT), input=held(struct(parameters=MapOf(ANY))), **_COMMON
)
SCM_PROVIDER = struct(
    github=struct(
        organization__=TEXT,
        api=TEXT,
        tokenRef=_SECRET_REF,
        appSecretName=TEXT,
        allBranches=FLAG,
        excludeArchivedRepos=FLAG,
    ),
    gitlab=struct(
        group__=TEXT,
        includeSubgroups=FLAG,
        api=TEXT,
        tokenRef=_SECRET_REF,
        allBranches=FLAG,
        insecure=FLAG,
        includeSharedProjects=OPTIONAL_FLAG,
        topic=TEXT,
        caRef=_CONFIG_MAP_KEY,
        includeArchivedRepos=FLAG,
    ),
    gitea=struct(
        owner__=TEXT,
        api__=TEXT,
        tokenRef=_SECRET_REF,
        allBranches=FLAG,
        insecure=FLAG,
        excludeArchivedRepos=FLAG,
    ),
    bitbucket=struct(owner__=TEXT, user__=TEXT, appPasswordRef__=_SECRET_REF, allBranches=FLAG),
    bitbucketServer=struct(
        project__=TEXT,
        api__=TEXT,
        basicAuth=_BASIC_AUTH,
        bearerToken=_BEARER,
        allBranches=FLAG,
        insecure=FLAG,
        caRef=_CONFIG_MAP_KEY,
    ),
    azureDevOps=struct(
        organization__=TEXT, api=TEXT, teamProject__=TEXT, accessTokenRef__=_SECRET_REF, allBranches=FLAG
    ),
    awsCodeCommit=struct(
        tagFilters=ListOf(struct(key__=TEXT, value=TEXT)), role=TEXT, region=TEXT, allBranches=FLAG
    ),
    filters=ListOf(
        struct(
            repositoryMatch=OPTIONAL_TEXT,
            pathsExist=TEXTS,
            pathsDoNotExist=TEXTS,
            labelMatch=OPTIONAL_TEXT,
            branchMatch=OPTIONAL_TEXT,
        )
    ),
    cloneProtocol=TEXT,
    **_COMMON,
)
PULL_REQUEST = struct(
    github=struct(
        owner__=TEXT, repo__=TEXT, api=TEXT, tokenRef=_SECRET_REF, appSecretName=TEXT, labels=TEXTS
    ),
    gitlab=struct(
        project__=TEXT,
        api=TEXT,
        tokenRef=_SECRET_REF,
        labels=TEXTS,
        pullRequestState=TEXT,
        insecure=FLAG,
        caRef=_CONFIG_MAP_KEY,
    ),
    gitea=struct(owner__=TEXT, repo__=TEXT, api__=TEXT, tokenRef=_SECRET_REF, insecure=FLAG, labels=TEXTS),
    bitbucketServer=struct(
        project__=TEXT,
        repo__=TEXT,
        api__=TEXT,
        basicAuth=_BASIC_AUTH,
        bearerToken=_BEARER,
        insecure=FLAG,
        caRef=_CONFIG_MAP_KEY,
    ),
    bitbucket=struct(owner__=TEXT, repo__=TEXT, api=TEXT, basicAuth=_BASIC_AUTH, bearerToken=_BEARER),
    azuredevops=struct(
        organization__=TEXT, project__=TEXT, repo__=TEXT, api=TEXT, tokenRef=_SECRET_REF, labels=TEXTS
    ),
    filters=ListOf(
        struct(branchMatch=OPTIONAL_TEXT, targetBranchMatch=OPTIONAL_TEXT, titleMatch=OPTIONAL_TEXT)
    ),
    continueOnRepoNotFoundError=FLAG,
    **_COMMON,
)
_LEAVES: dict[str, Shape] = {
    "list": LIST,
    "clusters": CLUSTERS,
    "git": GIT,
    "scmProvider": SCM_PROVIDER,
    "clusterDecisionResource": CLUSTER_DECISION,
    "pullRequest": PULL_REQUEST,
    "plugin": PLUGIN_GENERATOR,
    "oci": GIT,
    "selector": LABEL_SELECTOR,
}
TERMINAL_GENERATOR = loose(struct(**_LEAVES))
"""A generator at the third level: decoded from free-form JSON, so unknown keys are dropped without a word."""
NESTED_MATRIX = loose(struct(generators__=ListOf(TERMINAL_GENERATOR)))
NESTED_MERGE = loose(struct(generators__=ListOf(TERMINAL_GENERATOR), mergeKeys=TEXTS))
NESTED_GENERATOR = struct(matrix=NESTED_MATRIX, merge=NESTED_MERGE, **_LEAVES)
GENERATOR = struct(
    matrix=struct(generators__=ListOf(NESTED_GENERATOR), template=TEMPLATE),
    merge=struct(generators__=ListOf(NESTED_GENERATOR), mergeKeys__=TEXTS, template=TEMPLATE),
    **_LEAVES,
)
_STRATEGY = hinted(
    struct(
        type=TEXT,
        rollingSync=struct(
            steps=ListOf(
                struct(
                    matchExpressions=ListOf(struct(key=TEXT, operator=TEXT, values=TEXTS)),
                    maxUpdate=WHOLE_OR_TEXT,
                )
            )
        ),
        deletionOrder=TEXT,
        rollout=struct(policy__=TEXT),
    ),
    deletionSync="the field is deletionOrder",
)
APPLICATION_SET = struct(
    apiVersion__=TEXT,
    kind__=TEXT,
    metadata__=_OBJECT_META,
    spec__=struct(
        goTemplate=FLAG,
        generators__=ListOf(GENERATOR),
        template__=TEMPLATE,
        syncPolicy=struct(
            preserveResourcesOnDeletion=FLAG,
            applicationsSync=choice("create-only", "create-update", "create-delete", "sync"),
        ),
        strategy=_STRATEGY,
        preservedFields=struct(annotations=TEXTS, labels=TEXTS),
        goTemplateOptions=TEXTS,
        applyNestedSelectors=FLAG,
        ignoreApplicationDifferences=ListOf(struct(name=TEXT, jsonPointers=TEXTS, jqPathExpressions=TEXTS)),
        templatePatch=OPTIONAL_TEXT,
    ),
    status=ANY,
)
