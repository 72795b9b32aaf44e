from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.risk import losses
from cosee.evaluation.risk_levels import MAX_LEVELS, certified_levels, refusal, within
from cosee.evaluation.risk_procedures import calibrate
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers, speedup_ratio

SEEDS = st.integers(0, 2**32 - 1)
ENERGY, PATIENCE = RULES["energy"], RULES["patience"]


def outputs(seed, num_examples=80, num_exits=5):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1, (num_examples, 1, 2)) * np.linspace(0.5, 2, num_exits)[:, None]
    logits = logits + rng.normal(0, 0.7, (num_examples, num_exits, 2))
    depths = tuple(range(1, num_exits + 1))
    labels = logits[:, -1].argmax(-1) ^ (rng.random(num_examples) < 0.1)
    return ExitOutputs(logits, labels, np.arange(num_examples), num_exits, depths, tuple(map(float, depths)))


@given(SEEDS, st.sampled_from([ENERGY, PATIENCE]), st.sampled_from(["same", "harm", "error"]), st.floats(0.01, 0.9))
def test_the_entry_for_a_level_takes_the_exits_that_ltt_certifies(seed, rule, kind, level):
    model = outputs(seed)
    scores, loss = model.exit_scores(rule), losses(model.predicted, model.labels, kind)
    expected = calibrate(scores, loss, rule.harder_is, level, 0.9)
    found = within(certified_levels(model, rule, kind, 0.9), level)
    assert (found is None) == (expected is None)
    if found is not None:
        exits = exit_layers(scores, expected, rule.harder_is)
        assert found.speedup == speedup_ratio(exits, 5)
        if found.threshold is None:
            assert (exits == 4).all()
        else:
            np.testing.assert_array_equal(exits, exit_layers(scores, found.threshold, rule.harder_is))


@given(SEEDS)
def test_levels_and_speedups_rise_together(seed):
    rows = certified_levels(outputs(seed), ENERGY, "same", 0.9)
    assert all(a.level < b.level and a.speedup < b.speedup for a, b in pairwise(rows))
    assert rows[0].level >= 1 - 0.1 ** (1 / 80) - 1e-12


def test_few_enough_levels_are_kept():
    rows = certified_levels(outputs(0, num_examples=3000), ENERGY, "error", 0.9)
    assert MAX_LEVELS / 2 < len(rows) <= MAX_LEVELS


def test_a_refusal_says_what_is_missing():
    rows = certified_levels(outputs(1), ENERGY, "same", 0.9)
    assert "a risk of 0.01 needs 230 calibration examples or more with confidence 0.9, and there are 80" in refusal(
        0.01, 0.9, 80, rows
    )
    assert "certified for no threshold" in refusal(0.05, 0.9, 80, certified_levels(outputs(1), ENERGY, "error", 0.9))
    assert refusal(0.05, 0.9, 80, []).endswith("no level is certified.")
    assert within(rows, 0.01) is None and within(rows, 1) == rows[-1]
    assert rows[-1].level == pytest.approx(max(row.level for row in rows))
