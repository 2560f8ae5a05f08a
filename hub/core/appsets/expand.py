"""From an ApplicationSet and the world to Applications (hop 2 of a change).

Pure: everything that is looked at comes in through `Sources`. What has not been fetched yet comes back as
requests; the caller fetches and evaluates again. Order, messages and rules are those of Argo CD 3.6's
controller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from argosy.objects import Manifest
from hub.core.apps import hooks
from hub.core.appsets import mentions, validate
from hub.core.appsets.validate import Made
from hub.core.generators import table
from hub.core.generators.base import (
    LIMIT_ANNOTATION,
    MAX_SETS,
    Context,
    GeneratorFailed,
    Inputs,
    NotYet,
    Request,
    Sources,
)
from hub.core.generators.select import PostSelector
from hub.core.memo import Memo
from hub.core.schema import app_fields, appset_fields, schema
from hub.core.schema.parse import AppSet
from hub.core.template import fast, patch, render
from hub.core.template.base import Engine, Scope, TemplateFailed
from hub.core.template.engine import GoEngine
from hub.core.template.params import Params, fingerprint
from hub.core.template.render import FieldFailed
from hub.core.types import (
    GENERATION_FAILED,
    NAMESPACE,
    RENDER_FAILED,
    Answer,
    Complete,
    Failed,
    Partial,
    SetProblem,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """How to evaluate. `strict`: as Argo CD, where one error stops the whole set; else one bad parameter
    set makes one app invalid and the others proceed.
    """

    strict: bool = False
    allowed_scm_providers: tuple[str, ...] = ()
    """Globs of API addresses that sets may name; none at all allows every one."""
    limit: int = MAX_SETS
    """Applications that a set may generate."""


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

    @property
    def wanted(self) -> set[str]:
        """The names of what is wanted, were it only to be mended: nothing of it may go."""
        names = {str(app["metadata"]["name"]) for app in self.applications}
        return names | {problem.app for problem in self.problems if problem.app}

    @property
    def whole(self) -> bool:
        """Whether nothing else can be wanted."""
        nameless = any(not problem.app for problem in self.problems)
        return isinstance(self.completeness, Complete) and not nameless


def limit_of(annotations: Mapping[str, str]) -> int:
    """How many applications a set with these annotations may generate."""
    text = annotations.get(LIMIT_ANNOTATION, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else MAX_SETS


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
    """Evaluates one set once. Never raises for a user's mistake: it becomes a problem."""
    return Evaluator(appset, settings).evaluate(sources)


class Evaluator:
    """One set, to be evaluated again and again: what did not change is neither generated nor rendered anew.

    Every evaluation gives what `expand` would; an Application that is as it was is the same object as before.
    """

    def __init__(self, appset: AppSet, settings: Settings = Settings()) -> None:
        self._appset = appset
        self._settings = settings
        self._engine = engine_of(appset.spec)
        self._memo = Memo()
        self._kinds: list[_Kind] | None = None
        self._mentions = mentions.of(appset.spec)

    def evaluate(self, sources: Sources) -> Evaluation:
        """Never raises for a user's mistake: it becomes a problem."""
        context = self._context(sources)
        try:
            batches = self._generate(context)
            if context.wanted:
                return Evaluation(
                    inputs=context.inputs,
                    requests=tuple(dict.fromkeys(context.wanted)),
                    completeness=Failed("inputs are still being fetched"),
                )
            made, problems = self._render_all(batches, context)
        except _Stop as stop:
            return Evaluation(
                problems=(stop.problem,), completeness=Failed(str(stop.problem)), inputs=context.inputs
            )
        good, invalid = validate.generated(self._appset.name, made)
        completeness: Answer[None] = Complete(None)
        if context.partial:
            completeness = Partial(None, "; ".join(dict.fromkeys(context.partial)))
        self._memo.turn()
        return Evaluation(tuple(good), (*problems, *invalid), completeness, context.inputs)

    def _context(self, sources: Sources) -> Context:
        settings = self._settings
        project = self._appset.spec["template"]["spec"].get("project", "")
        context = Context(
            appset=self._appset.name,
            namespace=NAMESPACE,
            set_namespace=self._appset.namespace,
            project="" if "{{" in project else project,
            engine=self._engine,
            sources=sources,
            table=table.KINDS,
            strict=settings.strict,
            allowed_providers=settings.allowed_scm_providers,
            limit=settings.limit,
            memo=self._memo,
        )
        context.inputs.label_keys |= self._mentions.keys
        context.inputs.all_labels = self._mentions.everything
        return context

    def _generate(self, context: Context) -> list[tuple[_Kind, Sequence[Params]]]:
        if self._kinds is None:
            self._kinds = list(self._compiled(context))
        batches: list[tuple[_Kind, Sequence[Params]]] = []
        count = 0
        for kind in self._kinds:
            found = _run(kind, context)
            count += len(found)
            try:
                context.count(count, kind.path)
            except GeneratorFailed as failure:
                raise _Stop(SetProblem(GENERATION_FAILED, failure.path, failure.message)) from None
            batches.append((kind, found))
        return batches

    def _compiled(self, context: Context) -> Iterator[_Kind]:
        """The generators with their selectors, and the template that each is rendered through."""
        spec = self._appset.spec
        for index, element in enumerate(spec["generators"]):
            path = f"spec.generators[{index}]"
            try:
                selector = PostSelector(element.get("selector"), f"{path}.selector")
            except GeneratorFailed as failure:
                raise _Stop(SetProblem(GENERATION_FAILED, failure.path, failure.message)) from None
            for kind in context.table:
                if element.get(kind) is None:
                    continue
                template = schema.fill(
                    appset_fields.TEMPLATE, element[kind].get("template") or {}, spec["template"]
                )
                renderer = Renderer(self._appset, template, self._engine, strict=context.strict)
                yield _Kind(kind, element[kind], path, selector, renderer, _is_stable(kind, element[kind]))

    def _render_all(
        self, batches: list[tuple[_Kind, Sequence[Params]]], context: Context
    ) -> tuple[list[Made], list[SetProblem]]:
        apps: list[Made] = []
        problems: list[SetProblem] = []
        for number, (kind, sets) in enumerate(batches):
            outcomes = self._outcomes(kind, number, sets)
            made = [one for one in outcomes if isinstance(one, Made)]
            apps += made
            if len(made) == len(outcomes):
                continue
            wrong = [one for one in outcomes if isinstance(one, SetProblem)]
            if context.strict:
                raise _Stop(wrong[0])
            problems += wrong
        return apps, problems

    def _outcomes(self, kind: _Kind, number: int, sets: Sequence[Params]) -> list[Made | SetProblem]:
        """What each parameter set gives; written for the many that give what they gave before."""
        table: Any = self._memo.table(("rendered", number))
        keys = list(map(id, sets))
        found = list(map(table.old.get, keys))
        for place, known in enumerate(found):
            if known is None:
                one = sets[place]
                # The parameters are held as long as the entry is, so that their id stays theirs.
                found[place] = table.new.get(keys[place]) or (one, self._rendered(kind, number, one))
        table.new.update(zip(keys, found, strict=True))
        return [outcome for _, outcome in found]

    def _rendered(self, kind: _Kind, number: int, params: Params) -> Made | SetProblem:
        """What one parameter set gives; equal sets give the same object."""
        if kind.stable:
            return kind.renderer.outcome(params)
        kept: Any = self._memo.table(("prints", number))
        found: Made | SetProblem = kept.of(fingerprint(params), lambda: kind.renderer.outcome(params))
        return found


@dataclass(frozen=True, slots=True)
class _Kind:
    """One generator of the set, compiled."""

    name: str
    spec: dict[str, Any]
    path: str
    selector: PostSelector
    renderer: Renderer
    stable: bool
    """What it generates of the same inputs is the same objects again."""


_STABLE = frozenset(("clusters", "git", "oci", "list"))


def _is_stable(kind: str, spec: dict[str, Any]) -> bool:
    if kind != "matrix":
        return kind in _STABLE
    children = spec.get("generators") or []
    return all(
        name in _STABLE for child in children for name, item in child.items() if item and name != "selector"
    )


def _run(kind: _Kind, context: Context) -> list[Params]:
    try:
        found = context.table[kind.name](kind.spec, context)
    except NotYet:
        return []
    except GeneratorFailed as failure:
        place = ".".join(filter(None, (kind.path, kind.name, failure.path)))
        raise _Stop(SetProblem(GENERATION_FAILED, place, failure.message)) from None
    except FieldFailed as failure:
        place = f"{kind.path}.{kind.name}.{failure.path}"
        raise _Stop(SetProblem(GENERATION_FAILED, place, failure.message)) from None
    return kind.selector.kept(found)


class Renderer:
    """A set's template and patch, compiled once."""

    def __init__(
        self, appset: AppSet, template: dict[str, Any], engine: Engine, *, strict: bool = False
    ) -> None:
        self._strict = strict
        self._appset = appset
        self._engine = engine
        self._template = {**template, "spec": schema.encode(app_fields.APPLICATION_SPEC, template["spec"])}
        policy = appset.spec.get("syncPolicy") or {}
        self._finalizers = [] if policy.get("preserveResourcesOnDeletion") else [hooks.CASCADE]
        self._node: render.Node | None = None
        self._failure: FieldFailed | None = None
        try:
            self._node = render.compile_value(appset_fields.TEMPLATE, self._template, engine, "spec.template")
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
            self._engine.check()
            template = self._engine.compile(text)
            rendered = text if template is None else template.render(scope)
            patched = patch.apply(app, rendered, strict=self._strict)
        except TemplateFailed as failure:
            raise FieldFailed("spec.templatePatch", failure) from None
        return {**patched, "spec": schema.encode(app_fields.APPLICATION_SPEC, patched["spec"])}

    def _written(self, app: Manifest) -> Manifest:
        metadata = {name: item for name, item in app["metadata"].items() if item}
        return {
            "apiVersion": app_fields.GROUP_VERSION,
            "kind": "Application",
            "metadata": {**metadata, "namespace": self._appset.namespace},
            "spec": app["spec"],
        }

    def outcome(self, params: Params) -> Made | SetProblem:
        """One Application, checked by itself, or why there is none."""
        try:
            return validate.made(self.render(params))
        except FieldFailed as failure:
            return SetProblem(RENDER_FAILED, failure.path, failure.message, self.name_of(params))

    def name_of(self, params: Params) -> str:
        """The name of an app that could not be rendered whole, "" when the name itself is the trouble."""
        text = self._template["metadata"].get("name", "")
        try:
            template = self._engine.compile(text)
            return text if template is None else template.render(Scope(params))
        except TemplateFailed:
            return ""
