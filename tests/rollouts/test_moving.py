"""Rollouts in a hub: stage by stage, what holds them up, and what is not moved at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import hubs
import obedient
import pytest
import rolling
from hubs import Repo, config_map
from obedient import Obedient
from rolling import STAGES, appset, policy, push, reaches, stage

from argosy.machinery.failure import ApiFailure
from hub.assembly import Hub
from hub.core.served import table
from hub.planning.overviews import Overviews
from hub.store import desired
from hub.store.base import Change


async def test_a_release_goes_from_stage_to_stage_and_no_stage_begins_before_the_one_before_is_well(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*STAGES))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    first = await reaches(hub, "fleet-1", phase="Completed")
    assert first["done"] == first["total"] == 6
    assert [one["name"] for one in first["stages"]] == ["canary", "early", "rest"]
    before = await rolling.bundles(hub, fleet)

    slow = {"c1"}
    fleet.behaviour = lambda cluster, given: None if cluster in slow else obedient.well(cluster, given)
    await push(hub, repo, "2")
    await reaches(hub, "fleet-2", phase="Progressing")
    await hubs.until(lambda: len(fleet.given["c1", "web-c1"]) == 2, "the canary is assigned")
    await hubs.settled(hub)
    now = await rolling.bundles(hub, fleet)
    assert [name for name in now if now[name] != before[name]] == ["c1"]
    status = await rolling.status(hub, "fleet-2")
    assert status["stage"] == "canary"
    assert status["blockers"][0]["reason"] == "not applied and healthy yet"
    waiting = (await rolling.shown(hub, table.APPLICATION, "web-z1"))["status"]["rollout"]
    assert (waiting["name"], waiting["state"]) == ("fleet-2", "Pending")
    assert waiting["message"] == "stage canary is being rolled out"
    release = await rolling.shown(hub, table.RELEASE, "fleet-2")
    assert release["status"]["phase"] == "Progressing"
    assert release["spec"]["applications"][0]["previousBundle"] in before.values()

    slow.clear()
    fleet.speak()
    await reaches(hub, "fleet-2", phase="Completed")
    after = await rolling.bundles(hub, fleet)
    assert not set(after.values()) & set(before.values())
    assert all(len(given) == 2 for given in fleet.given.values()), "each is assigned each release once"
    story = [reason for reason, _ in await rolling.stories(hub, "fleet-2")]
    assert story == ["RolloutStarted", "StageStarted", "StageStarted", "Completed"]
    assert [one for one in await rolling.stories(hub, "web-z1") if one[1].startswith("fleet-2")] == [
        ("RolloutAssigned", "fleet-2, stage rest"),
        ("RolloutDone", "fleet-2, stage rest"),
    ]


async def test_a_set_without_strategy_has_no_rollout(hub: Hub, repo: Repo, fleet: Obedient) -> None:
    await hubs.add(hub, table.APPLICATION_SET, hubs.appset(repo))

    async def everybody() -> bool:
        return len(await rolling.bundles(hub, fleet)) == 6

    await hubs.until(everybody, "everybody has it")
    assert await hubs.listed(hub, table.ROLLOUT) == {}
    assert await hub.store.read(lambda tx: tx.one("SELECT count(*) FROM rollouts")) == (0,)


async def test_a_failing_canary_rolls_back_by_itself_and_nobody_else_ever_sees_the_release(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    stages = (stage("canary", "canary", deadline="1s"), stage("rest"))
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*stages, onFailure="rollback"))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await reaches(hub, "fleet-1", phase="Completed")
    before = await rolling.bundles(hub, fleet)
    good = before["c1"]
    fleet.behaviour = lambda cluster, given: (
        obedient.well(cluster, given) if given.bundle == good else obedient.ill(cluster, given)
    )
    await push(hub, repo, "bad")
    over = await reaches(hub, "fleet-2", phase="RolledBack")
    assert over["bad"]
    assert await rolling.bundles(hub, fleet) == before
    assert {name: len(given) for (name, _), given in fleet.given.items() if len(given) > 1} == {"c1": 3}
    shown = (await rolling.shown(hub, table.APPLICATION, "web-c1"))["status"]
    assert [each["message"] for each in shown["conditions"]] == ["rolled back with release fleet-2"]
    # What was rolled back is not chosen again, whatever is looked at.
    automated = {"spec": {"template": {"spec": {"syncPolicy": {"automated": {"prune": False}}}}}}
    await hubs.patch(hub, table.APPLICATION_SET, "fleet", automated)
    await hubs.settled(hub)
    await hubs.settled(hub)
    assert await rolling.bundles(hub, fleet) == before
    given = await hub.store.read(lambda tx: desired.assignments(tx, fleet.clusters["c1"]))
    assert not given[0].policy.prune, "what the policy says goes at once"
    # Git moves past it: back to what runs, which is no release, and then on, to the very same content.
    fleet.behaviour = obedient.well
    await push(hub, repo, "1")
    await hubs.settled(hub)
    await hubs.settled(hub)
    await push(hub, repo, "bad")
    await reaches(hub, "fleet-3", phase="Completed")
    assert good not in (await rolling.bundles(hub, fleet)).values()


async def test_a_rolled_back_release_is_chosen_again_when_somebody_retries_it(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*STAGES))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await reaches(hub, "fleet-1", phase="Completed")
    before = await rolling.bundles(hub, fleet)
    await push(hub, repo, "2")
    await reaches(hub, "fleet-2", phase="Completed")
    after = await rolling.bundles(hub, fleet)
    await rolling.act(hub, "fleet-2", "rollback")
    await reaches(hub, "fleet-2", phase="RolledBack")
    assert await rolling.bundles(hub, fleet) == before
    await rolling.act(hub, "fleet-2", "retry")
    await reaches(hub, "fleet-2", phase="Completed")
    assert await rolling.bundles(hub, fleet) == after
    assert await hub.store.read(lambda tx: tx.all("SELECT * FROM refused")) == []


async def test_an_offline_cluster_delays_nobody_and_catches_up_alone(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*STAGES, offlineAfter="0s"))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await reaches(hub, "fleet-1", phase="Completed")
    await fleet.leave("e1")
    await push(hub, repo, "2")
    done = await reaches(hub, "fleet-2", phase="Completed")
    assert done["counts"] == {"done": 5, "deferred": 1}
    await fleet.come_back("e1")
    await reaches(hub, "fleet-2", counts={"done": 6})


async def test_a_newer_release_takes_over_whom_the_older_had_not_reached(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*STAGES))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await reaches(hub, "fleet-1", phase="Completed")
    before = await rolling.bundles(hub, fleet)
    fleet.behaviour = lambda cluster, given: None if cluster == "c1" else obedient.well(cluster, given)
    await push(hub, repo, "2")
    await reaches(hub, "fleet-2", phase="Progressing", counts={"moving": 1, "pending": 5})
    await push(hub, repo, "3")
    await reaches(hub, "fleet-3", phase="Progressing", counts={"moving": 1, "pending": 5})
    assert (await rolling.status(hub, "fleet-2"))["phase"] == "Superseded"
    # Back to what the others still run: only the canary has to move.
    await push(hub, repo, "1")
    await reaches(hub, "fleet-4", phase="Progressing", total=1)
    fleet.behaviour = obedient.well
    fleet.speak()
    await reaches(hub, "fleet-4", phase="Completed")
    assert await rolling.bundles(hub, fleet) == before


async def test_a_release_may_wait_for_the_one_before(hub: Hub, repo: Repo, fleet: Obedient) -> None:
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*STAGES, onNewRelease="queue"))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await reaches(hub, "fleet-1", phase="Completed")
    fleet.behaviour = lambda cluster, given: None if cluster == "c1" else obedient.well(cluster, given)
    await push(hub, repo, "2")
    await reaches(hub, "fleet-2", phase="Progressing")
    for value in ("3", "4"):
        await push(hub, repo, value)
        await hubs.settled(hub)
        await hubs.settled(hub)
    assert await rolling.status(hub, "fleet-3") == {}
    fleet.behaviour = obedient.well
    fleet.speak()
    await reaches(hub, "fleet-2", phase="Completed")
    await reaches(hub, "fleet-3", phase="Completed")
    assert "fleet-4" not in await hubs.listed(hub, table.RELEASE), "what waited goes together"


async def test_a_set_whose_policy_is_not_there_waits_for_it_and_says_so(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))

    async def told() -> bool:
        return any("careful is not there" in message for _, message in await rolling.stories(hub, "fleet"))

    await hubs.until(told, "an event says what lacks")
    shown = (await rolling.shown(hub, table.APPLICATION_SET, "fleet"))["status"]["conditions"]
    (waits,) = [each["message"] for each in shown if each["type"] == "ReleaseWaits"]
    assert waits == "changed applications wait: RolloutPolicy careful is not there"
    fleet_now = await Overviews(hub.store, hub.resources, hub.world).overview("argocd", 0.0)
    assert ("appset/fleet", waits) in fleet_now.problems
    assert await rolling.bundles(hub, fleet) == {}
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*STAGES))
    await reaches(hub, "fleet-1", phase="Completed")


@pytest.mark.parametrize("way", ["strategy", "annotation", "none"])
async def test_a_set_that_names_another_policy_waits_for_the_wrong_one_no_more(
    hub: Hub, repo: Repo, fleet: Obedient, way: str
) -> None:
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*STAGES))
    made = appset(repo, type="Rollout", rollout={"policy": "carefull"})
    await hubs.add(hub, table.APPLICATION_SET, made)

    async def told() -> bool:
        return any("carefull is not there" in message for _, message in await rolling.stories(hub, "fleet"))

    await hubs.until(told, "an event says what lacks")
    mended: dict[str, Any] = {
        "strategy": {"spec": {"strategy": {"rollout": {"policy": "careful"}}}},
        "annotation": {"metadata": {"annotations": {"argosy.dev/rollout-policy": "careful"}}},
        "none": {"spec": {"strategy": None}},
    }[way]
    await hubs.patch(hub, table.APPLICATION_SET, "fleet", mended)
    if way == "none":
        await hubs.until(lambda: len(fleet.given) == 6, "everybody is given the release at once")
    else:
        await reaches(hub, "fleet-1", phase="Completed")


async def test_argo_cds_rolling_sync_goes_by_labels_of_applications_and_leaves_the_others_alone(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    def step(ring: str, **more: object) -> dict[str, object]:
        return {"matchExpressions": [{"key": "ring", "operator": "In", "values": [ring]}], **more}

    steps = [step("canary"), step("early", maxUpdate="50%")]
    made = appset(repo, type="RollingSync", rollingSync={"steps": steps})
    made["spec"]["template"]["metadata"]["labels"] = {"ring": "{{.metadata.labels.ring}}"}
    await hubs.add(hub, table.APPLICATION_SET, made)
    over = await reaches(hub, "fleet-1", phase="Completed")
    assert over["outside"] == 3
    assert sorted(await rolling.bundles(hub, fleet)) == ["c1", "e1", "e2"]
    shown = (await rolling.shown(hub, table.APPLICATION_SET, "fleet"))["status"]
    steps_of = {one["application"]: (one["step"], one["status"]) for one in shown["applicationStatus"]}
    assert steps_of == {
        "web-c1": ("1", "Healthy"),
        "web-e1": ("2", "Healthy"),
        "web-e2": ("2", "Healthy"),
        **{f"web-z{n}": ("-1", "Waiting") for n in (1, 2, 3)},
    }
    found = {one["type"]: (one["status"], one["message"]) for one in shown["conditions"]}
    assert found["RolloutProgressing"] == ("False", "ApplicationSet Rollout has completed")
    assert found["InvalidRolloutConfig"] == ("False", "Rolling Sync Configured correctly")
    # One of no step moves when somebody syncs it.
    await hubs.patch(hub, table.APPLICATION, "web-z1", {"operation": {"sync": {}}})
    await hubs.until(lambda: fleet.given["z1", "web-z1"], "z1 is given the release")
    await hubs.settled(hub)
    assert sorted(await rolling.bundles(hub, fleet)) == ["c1", "e1", "e2", "z1"]


async def test_a_member_that_goes_holds_nobody_up(hub: Hub, repo: Repo, fleet: Obedient) -> None:
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*STAGES))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo, type="Rollout", rollout={"policy": "careful"}))
    await reaches(hub, "fleet-1", phase="Completed")
    fleet.behaviour = lambda cluster, given: None if cluster == "c1" else obedient.well(cluster, given)
    await push(hub, repo, "2")
    await reaches(hub, "fleet-2", phase="Progressing", counts={"moving": 1, "pending": 5})
    await hubs.patch(hub, table.CLUSTER, "c1", {"metadata": {"labels": {"env": "test"}}}, "")
    await reaches(hub, "fleet-2", phase="Completed", total=5)


async def test_what_cannot_be_understood_is_refused_by_its_field(hub: Hub) -> None:
    with pytest.raises(ApiFailure, match=r"spec\.stages\[0\]\.soak"):
        await hubs.add(hub, table.ROLLOUT_POLICY, policy(stage("all", soak="soon")))
    with pytest.raises(ApiFailure, match=r"spec\.strategy\.rollout\.policy"):
        await hubs.add(hub, table.APPLICATION_SET, _unnamed())


def _unnamed() -> dict[str, object]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "x", "namespace": "argocd"},
        "spec": {
            "generators": [],
            "strategy": {"type": "Rollout"},
            "template": {
                "metadata": {"name": "x"},
                "spec": {"project": "default", "destination": {}, "source": {"repoURL": "x"}},
            },
        },
    }


async def test_a_lone_application_may_follow_a_policy(hub: Hub, repo: Repo, fleet: Obedient) -> None:
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(stage("all", soak="1s")))
    repo.commit({"lone/lone.yaml": config_map("lone")})
    made = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": "lone",
            "namespace": "argocd",
            "annotations": {"argosy.dev/rollout-policy": "careful"},
        },
        "spec": {
            "project": "default",
            "source": {"repoURL": repo.url, "targetRevision": "main", "path": "lone"},
            "destination": {"name": "z1", "namespace": "default"},
        },
    }
    await hubs.add(hub, table.APPLICATION, made)
    await reaches(hub, "lone-1", counts={"soaking": 1})
    await reaches(hub, "lone-1", phase="Completed")
    given = await hub.store.read(lambda tx: desired.assignments(tx, fleet.clusters["z1"]))
    assert given[0].policy.sync_request, "a rollout syncs what does not sync by itself"


async def test_a_release_may_wait_for_the_present_stage_of_the_one_before(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*STAGES, onNewRelease="finish"))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await reaches(hub, "fleet-1", phase="Completed")
    fleet.behaviour = lambda cluster, given: None if cluster == "c1" else obedient.well(cluster, given)
    await push(hub, repo, "2")
    await reaches(hub, "fleet-2", counts={"moving": 1, "pending": 5})
    await push(hub, repo, "3")
    await hubs.settled(hub)
    await hubs.settled(hub)
    assert await rolling.status(hub, "fleet-3") == {}
    fleet.behaviour = obedient.well
    fleet.speak()
    await reaches(hub, "fleet-3", phase="Completed", total=6)
    over = await rolling.status(hub, "fleet-2")
    assert (over["phase"], over["counts"]) == ("Superseded", {"done": 1, "pending": 5})
    assert len(fleet.given["e1", "web-e1"]) == 2, "the second release never got past its stage"


@pytest.mark.parametrize("membership", ["join", "defer", "abort"])
async def test_a_cluster_that_joins_meanwhile_takes_part_as_the_policy_says(
    hub: Hub, repo: Repo, fleet: Obedient, membership: str
) -> None:
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*STAGES, membership=membership))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await reaches(hub, "fleet-1", phase="Completed")
    fleet.behaviour = lambda cluster, given: None if cluster == "c1" else obedient.well(cluster, given)
    await push(hub, repo, "2")
    await reaches(hub, "fleet-2", counts={"moving": 1, "pending": 5})
    await fleet.join("e9", env="prod", ring="early")
    if membership == "abort":
        await reaches(hub, "fleet-2", phase="Aborted")
        await reaches(hub, "fleet-3", phase="Completed", total=1)
        return
    for _ in range(2):
        await hubs.settled(hub)
    assert "e9" not in await rolling.bundles(hub, fleet)
    fleet.behaviour = obedient.well
    fleet.speak()
    await reaches(hub, "fleet-2", phase="Completed", total=7 if membership == "join" else 6)
    if membership == "defer":
        await reaches(hub, "fleet-3", phase="Completed", total=1)
    assert "e9" in await rolling.bundles(hub, fleet)


async def test_a_set_with_deletion_order_reverse_lets_its_applications_go_from_the_last_step_on(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    def step(ring: str) -> dict[str, object]:
        return {"matchExpressions": [{"key": "ring", "operator": "In", "values": [ring]}]}

    steps = [step("canary"), step("early"), step("late")]
    made = appset(repo, type="RollingSync", rollingSync={"steps": steps}, deletionOrder="Reverse")
    made["spec"]["template"]["metadata"]["labels"] = {"ring": "{{.metadata.labels.ring}}"}
    made["metadata"]["annotations"]["argosy.dev/removal-cap"] = "100"
    await hubs.add(hub, table.APPLICATION_SET, made)
    await reaches(hub, "fleet-1", phase="Completed")
    gone: list[str] = []

    def note(changes: Sequence[Change]) -> None:
        gone.extend(
            one.name
            for one in changes
            if one.verb == "DELETED" and one.resource == table.APPLICATION.resource
        )

    hub.store.listen(note)
    await hubs.delete(hub, table.APPLICATION_SET, "fleet")
    await hubs.until(lambda: len(gone) == 6, "all are gone", seconds=60)
    assert gone == ["web-z3", "web-z2", "web-z1", "web-e2", "web-e1", "web-c1"]
