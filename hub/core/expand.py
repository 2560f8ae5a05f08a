"""From an ApplicationSet and the world to Applications (design, section 4, hop 2).

Pure: everything that is looked at comes in through `Sources`. What has not been fetched yet comes back as
requests; the caller fetches and evaluates again. Order, messages and rules are those of Argo CD 3.6's
controller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from argosy.objects import Manifest
from hub.core import kinds, schema, validate
from hub.core.generators import table
from hub.core.generators.base import Context, GeneratorFailed, Inputs, NotYet, Request, Sources
from hub.core.generators.select import PostSelector
from hub.core.params import Params
from hub.core.parse import AppSet
from hub.core.template import fast, patch, render
from hub.core.template.base import Engine, Scope, TemplateFailed
from hub.core.template.engine import GoEngine
from hub.core.template.render import FieldFailed
from hub.core.types import (
    GENERATION_FAILED,
    RENDER_FAILED,
    Answer,
    Complete,
    Failed,
    Partial,
    SetProblem,
)

FINALIZER = "resources-finalizer.argocd.argoproj.io"


@dataclass(frozen=True, slots=True)
class Settings:
    """How to evaluate. `strict`: as Argo CD, where one error stops the whole set; else one bad parameter
    set makes one app invalid and the others proceed. `control_namespace` holds Secrets and ConfigMaps of
    generators.
    """

    strict: bool = False
    control_namespace: str = "argocd"
    new_git_file_globbing: bool = False
    scm_providers: bool = True
    allowed_scm_providers: tuple[str, ...] = ()
    """Globs of API addresses that sets may name; none at all allows every one."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of a set. `applications` are in Argo CD's order, without those that `problems` name.

    `completeness` is Complete only when every input was read whole: nothing may be removed for anything else.
    While `requests` is not empty the evaluation is unfinished: fetch, then evaluate again.
    """

    applications: tuple[Manifest, ...] = ()
    problems: tuple[SetProblem, ...] = ()
    completeness: Answer[None] = field(default_factory=lambda: Complete(None))
    inputs: Inputs = field(default_factory=Inputs)
    requests: tuple[Request, ...] = ()


class _Stop(Exception):
    """Argo CD's way: the first error ends the whole evaluation."""

    def __init__(self, problem: SetProblem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def engine_of(spec: dict[str, Any]) -> Engine:
    """The template engine that the set asks for."""
    if not spec.get("goTemplate"):
        return fast.ENGINE
    return GoEngine(tuple(spec.get("goTemplateOptions") or ()))


def expand(appset: AppSet, sources: Sources, settings: Settings = Settings()) -> Evaluation:
    """Evaluates one set. Never raises for a user's mistake: it becomes a problem."""
    project = appset.spec["template"]["spec"].get("project", "")
    context = Context(
        appset=appset.name,
        namespace=settings.control_namespace,
        set_namespace=appset.namespace,
        project="" if "{{" in project else project,
        engine=engine_of(appset.spec),
        sources=sources,
        table=table.KINDS,
        strict=settings.strict,
        new_globbing=settings.new_git_file_globbing,
        scm_providers=settings.scm_providers,
        allowed_providers=settings.allowed_scm_providers,
    )
    try:
        batches = _generate(appset.spec, context)
        if context.wanted:
            return Evaluation(
                inputs=context.inputs,
                requests=tuple(dict.fromkeys(context.wanted)),
                completeness=Failed("inputs are still being fetched"),
            )
        apps, problems = _render_all(appset, batches, context)
    except _Stop as stop:
        return Evaluation(
            problems=(stop.problem,), completeness=Failed(str(stop.problem)), inputs=context.inputs
        )
    good, invalid = validate.generated(appset.name, apps)
    completeness: Answer[None] = Complete(None)
    if context.partial:
        completeness = Partial(None, "; ".join(dict.fromkeys(context.partial)))
    return Evaluation(tuple(good), (*problems, *invalid), completeness, context.inputs)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Parameter sets that share one template."""

    where: str
    sets: Sequence[Params]
    template: dict[str, Any]


def _generate(spec: dict[str, Any], context: Context) -> list[_Batch]:
    batches = []
    for index, element in enumerate(spec["generators"]):
        path = f"spec.generators[{index}]"
        try:
            selector = PostSelector(element.get("selector"), f"{path}.selector")
        except GeneratorFailed as failure:
            raise _Stop(SetProblem(GENERATION_FAILED, failure.path, failure.message)) from None
        for kind in context.table:
            if element.get(kind) is None:
                continue
            sets = _run(kind, element[kind], path, selector, context)
            template = schema.fill(kinds.TEMPLATE, element[kind].get("template") or {}, spec["template"])
            batches.append(_Batch(f"{path}.{kind}", sets, template))
    return batches


def _run(
    kind: str, spec: dict[str, Any], path: str, selector: PostSelector, context: Context
) -> list[Params]:
    try:
        found = context.table[kind](spec, context)
    except NotYet:
        return []
    except GeneratorFailed as failure:
        place = ".".join(filter(None, (path, kind, failure.path)))
        raise _Stop(SetProblem(GENERATION_FAILED, place, failure.message)) from None
    except FieldFailed as failure:
        raise _Stop(SetProblem(GENERATION_FAILED, f"{path}.{kind}.{failure.path}", failure.message)) from None
    return [one for one in found if selector.matches(one)]


def _render_all(
    appset: AppSet, batches: list[_Batch], context: Context
) -> tuple[list[Manifest], list[SetProblem]]:
    apps: list[Manifest] = []
    problems: list[SetProblem] = []
    for batch in batches:
        renderer = Renderer(appset, batch.template, context.engine, strict=context.strict)
        for one in batch.sets:
            try:
                apps.append(renderer.render(one))
            except FieldFailed as failure:
                problem = SetProblem(RENDER_FAILED, failure.path, failure.message, renderer.name_of(one))
                if context.strict:
                    raise _Stop(problem) from None
                problems.append(problem)
    return apps, problems


class Renderer:
    """A set's template and patch, compiled once."""

    def __init__(
        self, appset: AppSet, template: dict[str, Any], engine: Engine, *, strict: bool = False
    ) -> None:
        self._strict = strict
        self._appset = appset
        self._engine = engine
        self._template = {**template, "spec": schema.encode(kinds.APPLICATION_SPEC, template["spec"])}
        policy = appset.spec.get("syncPolicy") or {}
        self._finalizers = [] if policy.get("preserveResourcesOnDeletion") else [FINALIZER]
        self._node: render.Node | None = None
        self._failure: FieldFailed | None = None
        try:
            self._node = render.compile_value(kinds.TEMPLATE, self._template, engine, "spec.template")
            engine.check()
        except FieldFailed as failure:
            self._failure = failure
        except TemplateFailed as failure:
            self._failure = FieldFailed("spec.goTemplateOptions", failure)

    def render(self, params: Params) -> Manifest:
        """One Application. Raises `FieldFailed`. An empty parameter set leaves the template as it is."""
        if params and self._failure is not None:
            raise self._failure
        scope = Scope(params)
        rendered = self._node(scope) if params and self._node is not None else self._template
        metadata = {name: rendered["metadata"][name] for name in rendered["metadata"] if name != "namespace"}
        if params and not metadata.get("finalizers"):
            metadata["finalizers"] = self._finalizers
        app = {"metadata": metadata, "spec": rendered["spec"]}
        text = self._appset.spec.get("templatePatch")
        if text is not None:
            app = self._patched(app, text, scope)
        return self._written(app)

    def _patched(self, app: Manifest, text: str, scope: Scope) -> Manifest:
        try:
            template = self._engine.compile(text)
            rendered = text if template is None else template.render(scope)
            patched = patch.apply(app, rendered, strict=self._strict)
        except TemplateFailed as failure:
            raise FieldFailed("spec.templatePatch", failure) from None
        return {**patched, "spec": schema.encode(kinds.APPLICATION_SPEC, patched["spec"])}

    def _written(self, app: Manifest) -> Manifest:
        metadata = {name: item for name, item in app["metadata"].items() if item}
        return {
            "apiVersion": kinds.GROUP_VERSION,
            "kind": "Application",
            "metadata": {**metadata, "namespace": self._appset.namespace},
            "spec": app["spec"],
        }

    def name_of(self, params: Params) -> str:
        """The name of an app that could not be rendered whole, "" when the name itself is the trouble."""
        text = self._template["metadata"].get("name", "")
        try:
            template = self._engine.compile(text)
            return text if template is None else template.render(Scope(params))
        except TemplateFailed:
            return ""
