import numpy as np
import pytest

from cosee.errors import InputError
from cosee.evaluation.curve_frames import criteria_of, tradeoff_frame
from cosee.evaluation.families import choose_members
from cosee.evaluation.frames import RunId
from cosee.evaluation.members import fitted_member, has_members, is_fitted, members_on, representative
from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.point_frames import targets_frame
from cosee.exiting.rules import RULES, members

EENET = RULES["eenet"]
TARGETS = (1.5, 2.0, 3.0, 4.0)
RUN = RunId("sst2", "bert", "eenet", 0, "vanilla")


def outputs_of(seed, num_examples=300, num_exits=6):
    """Logits that become more right and more certain with depth."""
    rng, depths = np.random.default_rng(seed), tuple(range(1, num_exits + 1))
    labels = rng.integers(0, 2, num_examples)
    evidence = rng.gamma(2, 0.4, (num_examples, 1, 1)) * np.array(depths)[:, None] * np.eye(2)[labels][:, None]
    logits = (rng.normal(0, 1, evidence.shape) + evidence).astype(np.float32)
    return ExitOutputs(logits, labels, np.arange(num_examples), num_exits, depths, tuple(map(float, depths)))


def names(rules):
    return [rule.name for rule in rules]


def test_a_rule_is_fitted_once_to_the_same_outputs():
    outputs = outputs_of(0)
    assert members_on(EENET, outputs) is members_on(EENET, outputs)
    assert names(members_on(EENET, outputs)) == names(members_on(EENET, outputs_of(1)))


def test_other_rules_have_the_members_that_they_have_anyway():
    outputs = outputs_of(0)
    for name in ("energy", "patience", "pcee"):
        assert names(members_on(RULES[name], outputs)) == names(members(RULES[name], 6))
        assert representative(RULES[name], outputs, 2.0) is RULES[name]
    assert [has_members(RULES[name]) for name in ("energy", "pcee", "eenet")] == [False, True, True]


def test_a_name_leads_to_the_fitted_rule():
    outputs = outputs_of(0)
    assert [is_fitted(name) for name in ("eenet-2", "pcee-2", "energy", "eenet")] == [True, False, False, False]
    assert fitted_member("eenet-2", outputs) is representative(EENET, outputs, 2.1)
    with pytest.raises(InputError, match=r"exit rule 'eenet-9' is unknown; expected one of eenet-1\.25, "):
        fitted_member("eenet-9", outputs)


def test_every_target_gets_the_schedule_of_its_budget_and_all_schedules_are_on_the_curve():
    choices = choose_members(outputs_of(0), EENET, "sst2", TARGETS)
    chosen = {target: (choice.rule.name, threshold) for choice in choices for target, threshold in choice.points}
    assert chosen == {target: (f"eenet-{target:g}", target) for target in TARGETS}
    assert all(choice.curve is not None for choice in choices)


def test_results_on_dev_are_those_of_schedules_fitted_on_sel():
    sel, dev = outputs_of(0), outputs_of(1)
    for choice in choose_members(sel, EENET, "sst2", TARGETS):
        frame = tradeoff_frame(RUN, dev, "dev", choice.curve)
        assert set(frame["rule"]) == {choice.rule.name} and set(frame["exit_rule"]) == {"eenet"}
        shown = targets_frame(RUN, dev, "dev", choice.rule, choice.points)
        assert shown["adjustable"].all()
        for row in shown.itertuples():
            assert row.speedup == pytest.approx(row.target_speedup, rel=0.15)
    first = choose_members(sel, EENET, "sst2", ())[0]
    assert tradeoff_frame(RUN, dev, "dev", first.curve)["speedup"].min() == 1  # full depth


def test_a_training_can_be_selected_by_schedules():
    criteria = criteria_of(outputs_of(0), "sst2", EENET)
    assert all(0.5 < value <= 1 for value in criteria.values())
