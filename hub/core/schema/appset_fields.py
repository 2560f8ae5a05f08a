"""ApplicationSet of argoproj.io/v1alpha1, field by field (Argo CD 3.6): its generators, their templates, the strategy.

Sources: as `app_fields`.
"""

from __future__ import annotations

from hub.core.schema.app_fields import APPLICATION_SPEC, OBJECT_META
from hub.core.schema.schema import (
    ANY,
    FLAG,
    OPTIONAL_FLAG,
    OPTIONAL_TEXT,
    OPTIONAL_WHOLE,
    TEXT,
    TEXT_MAP,
    TEXTS,
    WHOLE_OR_TEXT,
    ListOf,
    MapOf,
    Shape,
    choice,
    held,
    hinted,
    loose,
    struct,
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
    metadata__=OBJECT_META,
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
