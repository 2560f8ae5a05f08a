"""The order of a sync is Argo CD's: phases, waves, kinds, names; what others need comes first; prunes run backwards."""

from __future__ import annotations

from typing import Any

import pytest

from argosy import stages
from argosy.objects import Manifest
from argosy.stages import Phase


def obj(kind: str, name: str, group: str = "", namespace: str = "", **notes: str) -> Manifest:
    metadata: dict[str, Any] = {"name": name, "annotations": notes}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind, "metadata": metadata}


def wave(number: str) -> dict[str, str]:
    return {stages.WAVE: number}


def shown(*manifests: Manifest, live: tuple[Manifest, ...] = (), **options: Any) -> list[str]:
    ordered = stages.order(manifests, live, "dest", **options)
    return [f"{task.phase.word} {task.wave} {task.key.kind}/{task.key.name}" for task in ordered]


def test_kinds_then_names_within_a_wave() -> None:
    assert shown(
        obj("Widget", "z", "x.dev"),
        obj("Deployment", "d", "apps"),
        obj("ConfigMap", "b"),
        obj("ConfigMap", "a"),
        obj("Service", "s"),
        obj("Namespace", "unused"),
    ) == [
        "Sync 0 Namespace/unused",
        "Sync 0 ConfigMap/a",
        "Sync 0 ConfigMap/b",
        "Sync 0 Service/s",
        "Sync 0 Deployment/d",
        "Sync 0 Widget/z",
    ]


def test_phases_come_before_waves_and_waves_before_kinds() -> None:
    assert shown(
        obj("Job", "after", "batch", **{stages.HOOK: "PostSync", stages.WAVE: "-5"}),
        obj("ConfigMap", "one", **wave("1")),
        obj("Deployment", "minus", "apps", **wave("-1")),
        obj("Job", "before", "batch", **{stages.HOOK: "PreSync", stages.WAVE: "9"}),
    ) == ["PreSync 9 Job/before", "Sync -1 Deployment/minus", "Sync 1 ConfigMap/one", "PostSync -5 Job/after"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[("3", 3), ("-2", -2), ("+4", 4), ("1.5", 0), ("", 0), (" 1", 0), ("1_0", 0), ("٣", 0), ("007", 7)],
        *[("9223372036854775807", 2**63 - 1), ("9223372036854775808", 0), ("-9223372036854775808", -(2**63))],
        *[("0" * 5000 + "8", 8), ("9" * 5000, 0)],
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_wave_is_a_signed_decimal_or_absent(text: str, expected: int) -> None:
    assert stages.wave(obj("ConfigMap", "x", **wave(text))) == expected


def test_an_unreadable_wave_falls_back_to_helms_weight() -> None:
    assert stages.wave(obj("ConfigMap", "x", **{stages.WAVE: "soon", stages.HELM_WEIGHT: "7"})) == 7


def test_a_namespace_moves_in_front_of_what_lives_in_it() -> None:
    assert shown(
        obj("Job", "early", "batch", namespace="team", **{stages.HOOK: "PreSync", stages.WAVE: "-3"}),
        obj("Namespace", "team", **wave("5")),
    ) == ["PreSync -3 Namespace/team", "PreSync -3 Job/early"]


def test_the_destination_counts_as_the_namespace_of_what_has_none() -> None:
    assert shown(obj("ClusterRole", "r", "rbac", **wave("-1")), obj("Namespace", "dest")) == [
        "Sync -1 Namespace/dest",
        "Sync -1 ClusterRole/r",
    ]


def test_a_crd_moves_in_front_of_its_first_object_and_never_down() -> None:
    crd = obj("CustomResourceDefinition", "widgets.x.dev", "apiextensions.k8s.io", **wave("2"))
    crd["spec"] = {"group": "x.dev", "names": {"kind": "Widget"}}
    assert shown(obj("Widget", "w", "x.dev", **wave("1")), crd)[0].endswith(
        "CustomResourceDefinition/widgets.x.dev"
    )
    crd["metadata"]["annotations"] = wave("-9")
    assert shown(obj("Widget", "w", "x.dev"), crd)[0] == "Sync -9 CustomResourceDefinition/widgets.x.dev"


def test_prunes_run_with_their_waves_swapped_and_last_where_asked() -> None:
    live = tuple(obj("ConfigMap", f"old{number}", **wave(str(number))) for number in (0, 1, 3))
    assert shown(live=live) == ["Sync 0 ConfigMap/old3", "Sync 1 ConfigMap/old1", "Sync 3 ConfigMap/old0"]
    assert shown(obj("ConfigMap", "new", **wave("4")), live=live[:1], prune_last=True) == [
        "Sync 4 ConfigMap/new",
        "Sync 5 ConfigMap/old0",
    ]


def test_an_object_can_ask_to_be_pruned_last_and_only_it_is() -> None:
    last = {stages.SYNC_OPTIONS: "Prune=confirm, PruneLast=true"}
    gone = (obj("ConfigMap", "patient", **last), obj("ConfigMap", "other"))
    assert shown(obj("Secret", "kept", **wave("3")), live=gone) == [
        "Sync 0 ConfigMap/other",
        "Sync 3 Secret/kept",
        "Sync 4 ConfigMap/patient",
    ]


def test_the_last_wave_is_counted_before_anything_is_lifted() -> None:
    assert shown(
        obj("Namespace", "n", **wave("8")),
        obj("ConfigMap", "c", namespace="n"),
        live=(obj("Secret", "gone"),),
        prune_last=True,
    ) == ["Sync 0 Namespace/n", "Sync 0 ConfigMap/c", "Sync 9 Secret/gone"]


def test_what_is_pruned_lifts_nothing() -> None:
    assert shown(
        obj("Namespace", "n", **wave("1")),
        obj("ConfigMap", "c", namespace="n", **wave("2")),
        live=(obj("Secret", "gone", namespace="n"),),
    ) == ["Sync 0 Secret/gone", "Sync 1 Namespace/n", "Sync 2 ConfigMap/c"]


def test_a_namespace_lies_in_no_other_namespace() -> None:
    assert shown(obj("Namespace", "early", **wave("-5")), obj("Namespace", "dest")) == [
        "Sync -5 Namespace/early",
        "Sync 0 Namespace/dest",
    ]


def test_of_two_manifests_of_one_object_the_last_counts() -> None:
    assert shown(obj("ConfigMap", "c", **wave("1")), obj("ConfigMap", "c", **wave("2"))) == [
        "Sync 2 ConfigMap/c"
    ]


def test_annotations_that_are_no_texts_are_not_there() -> None:
    broken = obj("ConfigMap", "c", **wave("3"))
    broken["metadata"]["annotations"]["count"] = 5
    assert shown(broken) == ["Sync 0 ConfigMap/c"]


@pytest.mark.parametrize(
    ("notes", "phases", "hook"),
    [
        ({}, (Phase.SYNC,), False),
        ({stages.HOOK: "PreSync, PostSync"}, (Phase.PRE_SYNC, Phase.POST_SYNC), True),
        ({stages.HOOK: "Skip"}, (), True),
        ({stages.HOOK: "Skip,PreSync"}, (Phase.PRE_SYNC,), True),
        ({stages.HOOK: "Nonsense"}, (), True),
        ({stages.HELM_HOOK: "pre-install,pre-upgrade"}, (Phase.PRE_SYNC,), True),
        ({stages.HELM_HOOK: "crd-install"}, (Phase.SYNC,), False),
        ({stages.HELM_HOOK: "test"}, (), True),
        ({stages.HOOK: "Sync", stages.HELM_HOOK: "post-install"}, (Phase.SYNC,), True),
        ({stages.HOOK: "PostDelete", stages.HELM_HOOK: "post-install"}, (Phase.POST_SYNC,), True),
    ],
)
def test_what_an_object_is_in_a_sync(notes: dict[str, str], phases: tuple[Phase, ...], hook: bool) -> None:
    assert stages.role(obj("Job", "j", "batch", **notes)) == stages.Role(phases, hook)


def test_removal_goes_backwards() -> None:
    live = [
        obj("Namespace", "n"),
        obj("Deployment", "d", "apps"),
        obj("ConfigMap", "late", **wave("2")),
        obj("ConfigMap", "c"),
    ]
    groups = [[item["metadata"]["name"] for item in group] for group in stages.removal_stages(live)]
    assert groups == [["late"], ["d", "c", "n"]]


def test_a_helm_hook_is_one_whatever_it_says_but_crd_install() -> None:
    assert stages.role(obj("Job", "x", **{stages.HELM_HOOK: ""})) == stages.Role((), True)
    assert stages.role(obj("Job", "x", **{stages.HELM_HOOK: "crd-install"})).hook is False
    both = stages.role(obj("Job", "x", **{stages.HELM_HOOK: "crd-install,pre-install"}))
    assert both == stages.Role((Phase.PRE_SYNC,), True)


def test_an_ordinary_object_in_the_place_of_a_hook_is_pruned_and_one_that_is_skipped_is_not() -> None:
    there = obj("Job", "x", "batch", "dest")
    assert shown(obj("Job", "x", "batch", "dest", **{stages.HOOK: "PreSync"}), live=(there,)) == [
        "PreSync 0 Job/x",
        "Sync 0 Job/x",
    ]
    assert shown(obj("Job", "x", "batch", "dest", **{stages.HOOK: "Skip"}), live=(there,)) == []


def test_what_lies_in_no_namespace_is_known_whatever_namespace_its_manifest_names() -> None:
    assert shown(obj("ClusterRole", "x", "rbac", "a"), live=(obj("ClusterRole", "x", "rbac"),)) == [
        "Sync 0 ClusterRole/x"
    ]
    assert len(shown(obj("ConfigMap", "x", "", "a"), live=(obj("ConfigMap", "x", "", "b"),))) == 2
