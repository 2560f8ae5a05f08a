"""The list: which public threads of safety and rollouts are answered by which tests.

Evidence is worth as much as the test behind it, so each named test has to be there.
"""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

ANSWERS: dict[str, tuple[str, tuple[str, ...]]] = {
    # --- safety ---
    "a generator that fails is no empty list": (
        "argoproj/argo-cd#18480 #18780 #14318 #9227 #3473 #11939",
        (
            "system/test_git_in_trouble.py::test_nothing_is_removed_while_git_fails_at_any_request",
            "system/test_full_disks.py::test_a_store_whose_statements_fail_now_and_then_loses_nothing",
            "loops/test_expansion.py::test_a_git_server_in_trouble_removes_nothing_and_is_told",
            "loops/test_expansion.py::test_a_complete_but_empty_set_keeps_everything",
            "loops/test_asking_providers.py::test_a_bad_answer_is_a_failure_and_removes_nothing",
            "removals/test_removals.py::test_nothing_goes_that_the_last_two_complete_readings_had",
        ),
    ),
    "a hub that was restored, emptied or lost deletes nothing": (
        "karmada-io/karmada#5406 #5150 #1717, open-cluster-management-io/ocm#123, argoproj-labs/argocd-agent#813 #660, "
        "argoproj/argo-cd#6046",
        (
            "system/test_lives_of_the_hub.py::test_an_old_backup_deletes_nothing_until_it_is_confirmed",
            "field/test_safety.py::test_an_empty_hub_deletes_nothing",
            "system/test_skewed_clocks.py::test_a_removal_that_expired_by_the_agents_clock_is_refused_and_says_so",
            "plan/test_epoch_rule.py::test_what_is_held_after_meeting_a_hub",
        ),
    ),
    "no removal without a number, a cap and an approval": (
        "argoproj/argo-cd#20848 #29600 #18201 #12470 #9990 #14505, argoproj/applicationset#560 #359 #103, rancher/fleet#680",
        (
            "removals/test_removals_as_objects.py::test_a_plan_names_applications_clusters_objects_and_their_kinds",
            "removals/test_removals_as_objects.py::test_approval_lets_exactly_the_plan_go_and_is_recorded",
            "removals/test_removals_as_objects.py::test_a_changed_plan_needs_a_new_approval",
            "removals/test_removals_as_objects.py::test_a_rejected_removal_leaves_the_applications_in_nobodys_hands",
            "removals/test_removals_as_objects.py::"
            "test_deleting_a_set_above_the_cap_is_accepted_and_waits_with_a_warning",
        ),
    ),
    "no prune from a stale, partial or foreign render": (
        "argoproj/argo-cd#15058 #14090 #2573 #26530 PR #17874, fluxcd/kustomize-controller#339",
        (
            "drift/test_agent_cache.py::test_bundles_are_verified_going_in_and_coming_out",
            "link/test_faults.py::test_a_broken_transfer_goes_on_where_it_broke",
            "link/test_faults.py::test_a_set_that_is_not_what_its_digest_says_is_asked_for_anew",
            "loops/test_moving_sources.py::test_a_commit_that_arrives_during_a_render_is_rendered_next",
            "loops/test_rolling.py::test_a_bad_file_keeps_the_last_good_state_and_harms_no_other_application",
            "render/test_recipe.py::test_only_what_is_read_counts",
        ),
    ),
    "rename and relabel freely": (
        "argoproj/argo-cd#12958 #16882, projectsveltos/sveltos PR #787, argoproj/applicationset#254, rancher/rancher#41333",
        (
            "field/test_safety.py::test_moving_a_cluster_from_one_set_to_another_restarts_nothing",
            "field/test_safety.py::test_renaming_what_a_template_makes_restarts_nothing",
            "system/test_hand_overs.py::test_the_new_set_first_then_the_old_one_deleted",
            "system/test_hand_overs.py::test_the_old_set_deleted_first_then_the_new_one",
            "system/test_hand_overs.py::test_a_label_that_moves_between_sets_of_equal_names_needs_no_approval",
            "e2e/test_hand_overs.py::test_a_set_under_another_name_restarts_nothing",
            "system/test_renamed_clusters.py::test_what_runs_stays_and_what_is_called_after_it_is_handed_over",
            "e2e/test_hand_overs.py::test_a_cluster_under_another_name_restarts_nothing",
            "e2e/test_hand_overs.py::test_a_label_that_moves_and_a_renamed_template_restart_nothing",
            "loops/test_rolling.py::test_an_object_that_moves_to_another_application_is_handed_over",
        ),
    ),
    "two owners of one object are told of each other": (
        "argoproj/argo-cd#15874 #16114 #16207 #22607 #20440, argoproj/applicationset#68, projectsveltos/libsveltos PR #301, "
        "projectsveltos/addon-controller#1836, fluxcd/kustomize-controller#192 #315",
        (
            "owners/test_owners.py::test_both_learn_of_it_and_of_its_end",
            "loops/test_sources_in_a_hub.py::test_shared_objects_are_told_and_refused_where_that_is_asked_for",
            "plan/test_protections.py::test_an_app_that_goes_leaves_what_another_app_wants",
            "plan/test_protections.py::test_a_namespace_with_foreign_objects_stays_and_one_of_them_is_named",
        ),
    ),
    "a stop button that holds": (
        "argoproj/argo-cd#4808 #3039 #19909 #17974 #16751, argoproj/applicationset#421 #345, karmada-io/karmada#6357",
        (
            "field/test_safety.py::test_a_stop_button_that_holds",
            "freezes/test_freezes_in_a_hub.py::test_a_freeze_is_lifted_by_no_evaluation_and_no_restart",
            "freezes/test_agent_obeys.py::test_nothing_is_written_during_a_freeze_and_all_of_it_after",
        ),
    ),
    "what is protected stays, on every path": (
        "argoproj/argo-cd#9853 #7124 #11227, karmada-io/karmada PR #3802 #3004, deployKF/deployKF PR #31",
        (
            "plan/test_protections.py::test_a_protected_object_is_not_pruned_and_the_reason_is_told",
            "plan/test_protections.py::test_a_protected_object_outlives_its_app",
            "plan/test_protections.py::test_a_volume_claim_stays_unless_the_user_lets_it_go",
            "plan/test_protections.py::test_a_definition_with_foreign_instances_stays",
        ),
    ),
    "removals come to their end": (
        "argoproj/argo-cd#4198 #5817 #19571 #27383 #9172, karmada-io/karmada#3740 #1847, Azure/fleet#881 #1036, "
        "kubefleet-dev/kubefleet#297, rancher/fleet#1674 #3437, open-cluster-management-io/ocm#632",
        (
            "field/test_safety.py::test_a_cluster_that_is_gone_is_forgotten_at_once",
            "plan/test_crashes.py::test_live_is_inventory_is_desired_after_any_crash",
            "plan/test_crashes.py::test_a_whole_removal_survives_crashes",
            "plan/test_protections.py::test_a_finalizer_that_hangs_is_named_with_who_set_it_and_never_taken_away",
        ),
    ),
    # --- rollouts ---
    "stages in order, whatever agents say and when": (
        "argoproj/argo-cd#29410 #29347 #22852 #22558 #11924 #23685 #4669, akuity/kargo#41 #1411",
        (
            "rollouts/test_histories.py::test_random_histories",
            "rollouts/test_deciding.py::test_a_stage_begins_when_the_one_before_is_applied_and_healthy",
            "rollouts/test_deciding.py::test_no_more_than_max_concurrent_are_on_their_way",
            "rollouts/test_moving.py::"
            "test_a_release_goes_from_stage_to_stage_and_no_stage_begins_before_the_one_before_is_well",
        ),
    ),
    "nothing hangs without a reason and a way out": (
        "argoproj/argo-cd#12202 #12459 #19535 #19771 PR #20230 PR #12103 PR #13926, rancher/fleet#393 #280 #3489 #4028, "
        "projectsveltos/sveltos#648",
        (
            "system/test_killed_between_writes.py::test_killed_at_some_of_the_commits",
            "rollouts/test_operators.py::test_a_halted_rollout_says_why_and_goes_on_as_somebody_decides",
            "rollouts/test_deciding.py::test_deciding_again_changes_nothing",
        ),
    ),
    "an offline cluster stops nobody": (
        "rancher/fleet#192 #594 #741, rancher/rancher#30661, argoproj/applicationset#61, "
        "projectsveltos/addon-controller PR #657",
        (
            "rollouts/test_moving.py::test_an_offline_cluster_delays_nobody_and_catches_up_alone",
            "rollouts/test_deciding.py::test_an_offline_cluster_delays_nobody_and_catches_up_on_its_return",
            "rollouts/test_deciding.py::test_a_failure_within_budget_holds_nobody_up",
        ),
    ),
    "the world changes meanwhile": (
        "kubefleet-dev/kubefleet#733, argoproj/argo-cd#19535 #11494 #23547 PR #23038",
        (
            "rollouts/test_moving.py::test_a_newer_release_takes_over_whom_the_older_had_not_reached",
            "rollouts/test_moving.py::test_a_cluster_that_joins_meanwhile_takes_part_as_the_policy_says",
            "rollouts/test_moving.py::test_a_member_that_goes_holds_nobody_up",
        ),
    ),
    "rolled back stays rolled back": (
        "argoproj/argo-cd#5351 #9570 #15588 #18072 #11713 #6147 #2441",
        (
            "rollouts/test_moving.py::test_a_failing_canary_rolls_back_by_itself_and_nobody_else_ever_sees_the_release",
            "rollouts/test_moving.py::test_a_rolled_back_release_is_chosen_again_when_somebody_retries_it",
            "rollouts/test_deciding.py::test_a_rolled_back_release_stays_back_until_somebody_clears_it",
        ),
    ),
    "windows, freezes and rollouts go together": (
        "argoproj/argo-cd#29307 #11817 #26215 #25361 #5590 #29558, kubefleet-dev/kubefleet#521, rancher/fleet PR #450 #2066",
        (
            "field/test_windows_and_rollouts.py::test_a_closed_cluster_takes_no_slot_from_an_open_one",
            "freezes/test_holds.py::test_a_policy_window_runs_on_each_clusters_own_clock",
            "access/test_policies_in_a_hub.py::test_breaking_the_glass_is_a_permission",
            "freezes/test_agent_obeys.py::test_a_sync_under_way_goes_on_where_the_window_permits_an_overrun",
        ),
    ),
    "gates between stages": (
        "argoproj/applicationset#61, argoproj/argo-cd#11932 #9437, akuity/kargo#907, argoproj/argo-rollouts#2737, "
        "fluxcd/flagger#371, Azure/fleet PR #897, projectsveltos/addon-controller PR #1421",
        (
            "rollouts/test_gates_in_a_hub.py::test_a_stage_waits_for_an_answer_that_is_good_often_enough",
            "rollouts/test_gates_in_a_hub.py::test_a_gate_that_is_not_passed_in_time_fails_its_stage",
            "rollouts/test_deciding.py::test_an_approval_needs_different_people_of_the_role",
            "gates/test_gates.py::test_prometheus_is_good_where_every_value_is",
        ),
    ),
    "not everything at once": (
        "rancher/fleet#2891 #3827",
        ("rollouts/test_deciding.py::test_starts_are_spread_over_time",),
    ),
}
UNANSWERED = {
    "applications that depend on applications": "argoproj/argo-cd#3454 #7978 #5585 #6411 #17639 #1888, "
    "gitops-bridge-dev/gitops-bridge#70, rancher/fleet#3341"
}
"""Asked for in public, and not there yet."""


@functools.cache
def functions(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text())
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


@pytest.mark.parametrize("pain", ANSWERS)
def test_each_pain_has_its_threads_and_its_tests(pain: str) -> None:
    threads, answers = ANSWERS[pain]
    assert "#" in threads
    for answer in answers:
        file, _, name = answer.partition("::")
        assert name in functions(file), f"{answer} is not there any more"


def test_what_is_unanswered_is_not_answered() -> None:
    assert not set(UNANSWERED) & set(ANSWERS)
