"""Every exit rule against its definition: one example, one exit and one number at a time."""

import subprocess
import sys
from collections import Counter
from itertools import pairwise
from math import exp, inf, log

import numpy as np
import pytest
import torch
from helpers.ensembles import geometric_of, mean_of, probabilities
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cosee.errors import InputError
from cosee.exiting.rules import FAMILIES, RULES, Rule, agreements, consecutive, divergences, members
from cosee.exiting.signals import SIGNALS
from cosee.exiting.simulation import exit_layers
from cosee.methods import pabee, rule_named

BY_ROW = {name: rule for name, rule in RULES.items() if rule.is_online and rule.fit is None}
EACH = pytest.mark.parametrize("rule", BY_ROW.values(), ids=BY_ROW)
FEW = settings(max_examples=25)  # of every rule or patience
EACH_PATIENCE = pytest.mark.parametrize("patience", [1, 2, 3, 4, 7])
SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 6), st.sampled_from([2, 3]))
LOGITS = SHAPES.flatmap(
    lambda shape: st.one_of(
        arrays(np.float64, shape, elements=st.floats(-30, 30)),
        arrays(np.float64, shape, elements=st.integers(-1, 1).map(float)),  # exits that agree, and equal logits
    )
)


def learned_of(logits):
    """Learnt scores in 0..1 that go with logits."""
    return np.random.default_rng(logits.shape[1]).random(logits.shape[:2])


# --- definitions, one row at a time -----------------------------------------------------------------------------------


def entropy_of(logits):
    return -sum(p * log(p) for p in probabilities(logits) if p > 0) / log(len(logits))


def divergence_of(first, second):
    """Half the sum of the two Kullback-Leibler divergences from the mean, over log 2; 0 log 0 = 0."""
    first, second = probabilities(first), probabilities(second)
    middle = [(p + q) / 2 for p, q in zip(first, second, strict=True)]
    halves = (sum(p * log(p / m) for p, m in zip(ps, middle, strict=True) if p > 0) for ps in (first, second))
    return sum(halves) / 2 / log(2)


def counts_of(passes):
    """A counter that every exit which does not pass sets back to zero."""
    count, counts = 0, []
    for does in passes:
        count = count + 1 if does else 0
        counts.append(count)
    return counts


def predicted_of(exits):
    return [logits.index(max(logits)) for logits in exits]


def disagreements_of(exits):
    predicted = predicted_of(exits)
    return [inf, *(float(a != b) for a, b in pairwise(predicted))]


def divergences_of(exits):
    return [inf, *(divergence_of(a, b) for a, b in pairwise(exits))]


def hardest_of(values, patience):
    """The largest of the last values; infinity where there are too few."""
    return [max(values[m + 1 - patience : m + 1]) if m + 1 >= patience else inf for m in range(len(values))]


def halted_of(rates):
    """Sum of p_j = lambda_j prod_{i<j} (1 - lambda_i)."""
    total, stays, sums = 0.0, 1.0, []
    for rate in rates:
        total, stays = total + stays * rate, stays * (1 - rate)
        sums.append(total)
    return sums


def gated_of(gates):
    """P_l / (1 - sum_{j<l} P_j) with P_l = max(0, min(g_l, 1 - sum_{j<l} g_j)); 1 once the stick is used up."""
    given = used = 0.0
    scores = []
    for gate in gates:
        part = max(0.0, min(gate, 1 - given))
        scores.append(part / (1 - used) if used < 1 else 1.0)
        given, used = given + gate, used + part
    return scores


def agreed_of(exits):
    """Confidence times the number of layers, summed while neighbors agree."""
    sums, total, before = [], 0.0, None
    for number, logits in enumerate(exits, 1):
        predicted = logits.index(max(logits))
        total = number * max(probabilities(logits)) + (total if predicted == before else 0.0)
        before = predicted
        sums.append(total)
    return sums


DEFINITIONS = {
    "energy": lambda exits, learned: [1 / (1 + sum(exp(x) for x in logits)) for logits in exits],
    "entropy": lambda exits, learned: [entropy_of(logits) for logits in exits],
    "softmax": lambda exits, learned: [max(probabilities(logits)) for logits in exits],
    "patience": lambda exits, learned: [count or -inf for count in counts_of(d == 0 for d in disagreements_of(exits))],
    "pcee": lambda exits, learned: hardest_of([entropy_of(logits) for logits in exits], 2),
    "fpabee": lambda exits, learned: hardest_of(divergences_of(exits), 2),
    "uncertainty": lambda exits, learned: learned,
    "quantile": lambda exits, learned: halted_of(learned),
    "policy": lambda exits, learned: learned,
    "safe": lambda exits, learned: learned,
    "gate": lambda exits, learned: gated_of(learned),
    "jeidnn": lambda exits, learned: gated_of(learned),
    "geometric": lambda exits, learned: [max(p) for p in geometric_of(exits)],
    "mean": lambda exits, learned: [max(p) for p in mean_of(exits)],
    "voting": lambda exits, learned: [max(Counter(predicted_of(exits[: m + 1])).values()) for m in range(len(exits))],
    "beem": lambda exits, learned: agreed_of(exits),
}


@EACH
@FEW
@given(logits=LOGITS)
def test_scores_equal_their_definition(rule, logits):
    learned = learned_of(logits)
    expected = [DEFINITIONS[rule.name](*row) for row in zip(logits.tolist(), learned.tolist(), strict=True)]
    np.testing.assert_allclose(rule.score(logits, learned), expected, rtol=1e-9, atol=1e-12)


def exits_by_counter(values, threshold, patience):
    """Where a counter of values below the threshold first reaches the patience; else the exit after all of these."""
    counts = counts_of(value < threshold for value in values)
    return counts.index(patience) if patience in counts else len(values)


@EACH_PATIENCE
@FEW
@given(logits=LOGITS, threshold=st.floats(0, 1))
def test_the_rules_of_several_exits_in_a_row_leave_where_their_counter_is_full(patience, logits, threshold):
    rows = logits.tolist()
    for score, values_of, limit in (
        (RULES["entropy"].score, lambda exits: [entropy_of(x) for x in exits], threshold + 1e-9),
        (divergences, divergences_of, threshold + 1e-9),  # off round numbers, where the two differ by rounding
    ):
        layers = exit_layers(consecutive(score, patience)(logits, None), limit, "larger")
        assert layers.tolist() == [exits_by_counter(values_of(exits), limit, patience) for exits in rows]
    layers = exit_layers(agreements(logits), patience - 0.5, "smaller")
    assert layers.tolist() == [exits_by_counter(disagreements_of(exits), 0.5, patience) for exits in rows]


# --- how the rules are related, and how early they can exit -----------------------------------------------------------


def sure(exits, classes=2, rows=3):
    """Exits that all predict the same class and are all but certain of it."""
    logits = np.full((rows, exits, classes), -20.0)
    logits[..., 0] = 20.0
    return logits


@EACH_PATIENCE
def test_patience_leaves_after_one_exit_more_than_it_counts_and_never_if_there_are_too_few(patience):
    num_exits = 6
    layers = exit_layers(agreements(sure(num_exits - 1)), patience - 0.5, "smaller")
    assert layers.tolist() == [min(patience, num_exits - 1)] * 3  # 0-based: exit P + 1, or the last


@EACH_PATIENCE
def test_consecutive_rules_leave_at_the_exit_that_completes_the_row(patience):
    num_exits, logits = 6, sure(5)
    pcee = exit_layers(consecutive(RULES["entropy"].score, patience)(logits, None), 0.5, "larger")
    fpabee = exit_layers(consecutive(divergences, patience)(logits, None), 0.5, "larger")
    assert pcee.tolist() == [min(patience - 1, num_exits - 1)] * 3  # 0-based: exit P
    assert fpabee.tolist() == [min(patience, num_exits - 1)] * 3  # as patience: the first exit has none before it


@FEW
@given(logits=LOGITS)
def test_one_in_a_row_is_the_rule_itself(logits):
    np.testing.assert_array_equal(
        consecutive(RULES["entropy"].score, 1)(logits, None), SIGNALS["entropy"].score(logits)
    )
    np.testing.assert_array_equal(consecutive(divergences, 1)(logits, None), divergences(logits))


@EACH_PATIENCE
@FEW
@given(logits=LOGITS)
def test_patience_is_f_pabee_with_disagreement_as_its_divergence(patience, logits):
    def disagreements(logits, scores):
        return np.array([disagreements_of(exits) for exits in logits.tolist()])

    by_divergence = exit_layers(consecutive(disagreements, patience)(logits, None), 0.5, "larger")
    np.testing.assert_array_equal(exit_layers(agreements(logits), patience - 0.5, "smaller"), by_divergence)


# --- the divergence ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0, 0), (0, 0), 0),
        ((3, 1), (13, 11), 0),  # the same prediction
        ((log(3), 0), (0, log(3)), 0.188722),  # their mean is uniform
        ((0, 0), (1e4, -1e4), 0.311278),
        ((1e4, -1e4), (-1e4, 1e4), 1),  # as far as can be
        ((1e4, -1e4, 0), (1e4, -1e4, 0), 0),
        ((0, 0, -1e4), (-1e4, -1e4, 0), 1),
    ],
)
def test_golden_divergences(first, second, expected):
    logits = np.array([[first, second], [second, first]], dtype=float)
    for given_logits in (logits, logits.astype(np.float32), torch.from_numpy(logits)):
        score = np.asarray(divergences(given_logits))
        assert (score[:, 0] == inf).all()
        np.testing.assert_allclose(score[:, 1], expected, atol=1e-6)


@given(logits=LOGITS, scale=st.sampled_from([1e-12, 1, 1e3, 1e30]))
def test_divergences_are_numbers_between_none_and_one_and_do_not_depend_on_the_order(logits, scale):
    score = divergences(scale * logits)[:, 1:]
    assert ((score >= 0) & (score <= 1 + 1e-12)).all()
    np.testing.assert_allclose(divergences(scale * logits[:, ::-1])[:, 1:], score[:, ::-1], atol=1e-12)


# --- what every rule promises -----------------------------------------------------------------------------------------


@EACH
@FEW
@given(logits=LOGITS)
def test_torch_and_numpy_agree(rule, logits):
    learned = learned_of(logits)
    for dtype, rtol, atol in ((np.float64, 1e-9, 1e-12), (np.float32, 1e-3, 1e-5)):
        inputs = logits.astype(dtype), learned.astype(dtype)
        with_numpy, with_torch = rule.score(*inputs), rule.score(*map(torch.from_numpy, inputs))
        assert with_numpy.dtype == with_torch.numpy().dtype == dtype
        np.testing.assert_allclose(with_torch.numpy(), with_numpy, rtol=rtol, atol=atol)


@EACH
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
@pytest.mark.parametrize("num_exits", [0, 1, 2, 7])
def test_an_exits_score_knows_nothing_of_later_exits(rule, kind, num_exits):
    logits = np.random.default_rng(3).normal(0, 2, (9, 7, 3))
    learned = learned_of(logits)
    every = rule.score(kind(logits), kind(learned))
    some = rule.score(kind(logits[:, :num_exits].copy()), kind(learned[:, :num_exits].copy()))
    np.testing.assert_array_equal(some, every[:, :num_exits])


@EACH
@FEW
@given(logits=LOGITS, seed=st.integers(0, 9))
def test_an_exits_answer_and_score_do_not_change_with_later_exits(rule, logits, seed):
    learned, rng = learned_of(logits), np.random.default_rng(seed)
    answers, scores = rule.answers(logits), rule.score(logits, learned)
    assert answers.shape == logits.shape and np.isfinite(answers).all()
    for last in range(logits.shape[1]):
        others = logits.copy(), learned.copy()
        others[0][:, last + 1 :] = rng.normal(0, 9, others[0][:, last + 1 :].shape)
        others[1][:, last + 1 :] = rng.random(others[1][:, last + 1 :].shape)
        np.testing.assert_array_equal(rule.answers(others[0])[:, : last + 1], answers[:, : last + 1])
        np.testing.assert_array_equal(rule.score(*others)[:, : last + 1], scores[:, : last + 1])


@pytest.mark.parametrize("rule", [rule for rule in RULES.values() if rule.lookback is not None], ids=lambda r: r.name)
def test_an_exits_score_depends_on_no_exit_beyond_those_it_looks_back_at(rule):
    logits = np.random.default_rng(3).normal(0, 2, (9, 7, 3))
    learned = learned_of(logits)
    every = rule.score(logits, learned)
    for last in range(7):
        seen = slice(max(0, last - rule.lookback), last + 1)
        np.testing.assert_array_equal(rule.score(logits[:, seen], learned[:, seen])[:, -1], every[:, last])


@EACH
@pytest.mark.parametrize("num_classes", [2, 3])
def test_scores_lie_in_the_range_and_reach_over_it(rule, num_classes):
    rng, num_exits = np.random.default_rng(0), 6
    logits = np.concatenate([rng.normal(0, scale, (200, num_exits, num_classes)) for scale in (0.1, 3, 300)])
    logits[0], logits[1], logits[2, :, 0], logits[3] = 0, -1e4, 1e4, np.eye(num_classes)[np.arange(num_exits) % 2] * 1e4
    learned = rng.random(logits.shape[:2])
    learned[0], learned[1] = 0, 1
    scores = rule.score(logits, learned)
    finite = scores[np.isfinite(scores)]
    low, high = rule.range(num_classes, num_exits)
    passing = np.isneginf if rule.harder_is == "larger" else np.isposinf  # at every threshold
    assert not np.isnan(scores).any() and not passing(scores).any()
    lowest = low + 1 if rule.name in ("patience", "voting") else low  # of a whole number, the one below it
    assert finite.min() == pytest.approx(lowest, abs=1e-9) and finite.max() == pytest.approx(high, abs=1e-9)


@EACH
def test_learned_scores_are_read_by_the_rules_that_say_so_and_by_no_other(rule):
    logits = np.random.default_rng(1).normal(0, 2, (5, 4, 2))
    learned = learned_of(logits)
    if rule.needs_learned_scores:
        np.testing.assert_array_equal(rule.score(logits, learned), rule.score(0 * logits, learned))
        assert not np.array_equal(rule.score(logits, learned), rule.score(logits, learned / 2))
    else:
        np.testing.assert_array_equal(rule.score(logits, None), rule.score(logits, learned))


@EACH
def test_a_score_leaves_its_inputs_as_they_were(rule):
    logits = np.random.default_rng(1).normal(0, 2, (5, 4, 2))
    learned = learned_of(logits)
    copies = logits.copy(), learned.copy()
    rule.score(logits, learned)
    np.testing.assert_array_equal(logits, copies[0])
    np.testing.assert_array_equal(learned, copies[1])


def test_rules_without_a_knob_have_one_threshold():
    fixed = {name: rule.thresholds for name, rule in RULES.items() if rule.thresholds}
    assert fixed == {"policy": (0.5,), "jeidnn": (0.5,), "sampled": (0.0,)}
    policy = RULES["policy"]
    scores = policy.score(np.zeros((3, 2, 2)), np.array([[0.2, 0.6], [0.51, 0.1], [0.5, 0.5]]))
    assert exit_layers(scores, policy.thresholds[0], policy.harder_is).tolist() == [1, 0, 2]


@FEW
@given(rates=arrays(np.float64, (5, 4), elements=st.floats(0, 1)), quantile=st.floats(0, 0.99))
def test_the_quantile_rule_leaves_where_halting_has_become_likely_enough(rates, quantile):
    rule = RULES["quantile"]
    scores = rule.score(np.zeros((5, 4, 2)), rates)
    assert (np.diff(scores, axis=1) >= 0).all()
    quantile += 1e-9 * np.pi  # off the sums themselves, where the two formulas differ by rounding
    expected = [next((m for m, total in enumerate(halted_of(row)) if total > quantile), 4) for row in rates.tolist()]
    assert exit_layers(scores, quantile, rule.harder_is).tolist() == expected


def test_gates_below_one_half_may_exit_together():
    scores = RULES["gate"].score(
        np.zeros((4, 3, 2)), np.array([[0.4, 0.4, 0], [0.3, 0.2, 0.2], [0.6, 0.9, 1], [1, 0, 0]])
    )
    np.testing.assert_allclose(scores[0], [0.4, 2 / 3, 0], rtol=1e-12)
    np.testing.assert_allclose(scores[1], [0.3, 0.2 / 0.7, 0.2 / 0.5], rtol=1e-12)
    np.testing.assert_allclose(scores[2:], [[0.6, 1, 1], [1, 1, 1]], rtol=1e-12)
    assert exit_layers(scores, 0.5, "smaller").tolist() == [1, 3, 0, 0]


@FEW
@given(gates=arrays(np.float64, (6, 5), elements=st.floats(0, 1)), threshold=st.floats(0.01, 0.99))
def test_gates_exit_where_a_plain_loop_does(gates, threshold):
    threshold += 1e-9 * np.pi  # off the scores themselves, where the two formulas differ by rounding
    expected = [next((m for m, c in enumerate(gated_of(row)) if c > threshold), 5) for row in gates.tolist()]
    scores = RULES["gate"].score(np.zeros((6, 5, 2)), gates)
    assert exit_layers(scores, threshold, "smaller").tolist() == expected


# --- names ------------------------------------------------------------------------------------------------------------


def test_rules_are_found_by_name():
    assert {rule_named(name) for name in RULES} == set(RULES.values())
    assert list(BY_ROW) == list(DEFINITIONS) and RULES.keys() - BY_ROW == {"sampled", "eenet"}


def test_every_signal_is_a_rule_of_the_same_name_and_orientation():
    for name, signal in SIGNALS.items():
        rule = rule_named(name)
        assert (rule.name, rule.label, rule.harder_is) == (signal.name, signal.label, signal.harder_is)
        assert rule.range(3, 12) == signal.range(3)


def test_a_method_may_bring_its_own_rule(monkeypatch):
    own = Rule("pabee", "own", agreements, "smaller", lambda num_classes, num_exits: (0, 1))
    monkeypatch.setattr(pabee, "RULE", own, raising=False)
    assert rule_named("pabee") is own


@pytest.mark.parametrize("name", ["pabee", "entropyy", "", "base"])
def test_a_name_without_a_rule_is_an_error_that_names_the_rules(name):
    with pytest.raises(InputError, match=rf"exit rule '{name}' is unknown; expected one of energy, .*, eenet\."):
        rule_named(name)


def test_the_module_imports_no_torch():
    code = "import sys, numpy as np; from cosee.exiting.rules import RULES; "
    code += "RULES['patience'].score(np.zeros((2, 3, 2)), None); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- families ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "most"), [("pcee", 5), ("fpabee", 4)])
def test_a_family_has_every_patience_that_lets_a_row_leave_early(family, most):
    rules, logits = members(RULES[family], 6), sure(5)
    assert [rule.name for rule in rules] == [f"{family}-{patience}" for patience in range(1, most + 1)]
    exits = [exit_layers(rule.score(logits, None), 0.5, rule.harder_is)[0] for rule in rules]
    first = 0 if family == "pcee" else 1
    assert exits == list(range(first, 5))  # 0-based, the last of them is exit M-1
    assert exit_layers(FAMILIES[family](most + 1).score(logits, None), 0.5, "larger")[0] == 5
    assert {rule.family for rule in rules} == {family}


def test_other_rules_are_families_of_their_own():
    for name in RULES.keys() - FAMILIES.keys():
        assert members(RULES[name], 6) == (RULES[name],)
        assert RULES[name].family == name
    assert [rule.name for rule in members(RULES["fpabee"], 2)] == ["fpabee-1"]  # too shallow, yet there is a curve


def test_members_are_found_by_name_and_are_what_the_head_is_with_its_patience():
    logits = np.random.default_rng(0).normal(size=(20, 6, 2))
    for family in FAMILIES:
        head, two, three = RULES[family], rule_named(f"{family}-2"), rule_named(f"{family}-3")
        np.testing.assert_array_equal(head.score(logits, None), two.score(logits, None))
        assert head.lookback == two.lookback == three.lookback - 1
        assert three.name == f"{family}-3"
        assert (three.score(logits, None) >= two.score(logits, None)).all()


@pytest.mark.parametrize("name", ["pcee-0", "pcee-", "pcee--1", "pcee-1.5", "energy-2", "-2"])
def test_what_is_no_member_is_no_rule(name):
    with pytest.raises(InputError, match="is unknown"):
        rule_named(name)
