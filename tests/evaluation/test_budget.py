from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosee.evaluation.budget import curve_area, frontier, score_within

NUM_LAYERS = 6
LAYERS = st.integers(100, 600).map(lambda n: n / 100)
SCORES = st.integers(0, 1000).map(lambda n: n / 1000)
POINTS = st.lists(st.tuples(LAYERS, SCORES), min_size=1, max_size=12)


def curve(points, first=0.5, num_layers=NUM_LAYERS):
    """Trade-off curve of (mean exit layer, score)."""
    frame = pd.DataFrame(points, columns=["mean_exit_layer", "score"])
    return frame.assign(speedup=num_layers / frame["mean_exit_layer"], first_exit_score=first)


def best_mixture(points, first, budget):
    """The definition: the best of all operating points and mixtures of two whose mean layers are within the budget."""
    points = [*points, (1.0, first)]
    found = [score for layer, score in points if layer <= budget]
    for one, other in combinations(points, 2):
        (cheap, low), (dear, high) = sorted([one, other])
        if cheap <= budget < dear:
            found.append(low + (high - low) * (budget - cheap) / (dear - cheap))
    return max(found)


@given(POINTS, SCORES, st.floats(1.0, 6.0))
def test_the_score_within_a_budget_is_that_of_the_best_mixture(points, first, speedup):
    expected = best_mixture(points, first, NUM_LAYERS / speedup)
    assert score_within(curve(points, first), speedup) == pytest.approx(expected)


@given(POINTS, SCORES, st.floats(1.0, 6.0))
def test_stopping_short_never_raises_the_area(points, first, end):
    kept = [(layer, score) for layer, score in points if layer >= end] or [max(points)]
    assert curve_area(curve(kept, first)) <= curve_area(curve(points, first)) + 1e-12


@given(POINTS, SCORES, st.data())
def test_no_operating_point_that_is_taken_away_raises_any_criterion(points, first, data):
    kept = data.draw(st.lists(st.sampled_from(points), min_size=1, max_size=len(points)))
    assert curve_area(curve(kept, first)) <= curve_area(curve(points, first)) + 1e-12
    assert score_within(curve(kept, first), 2.0) <= score_within(curve(points, first), 2.0) + 1e-12


@given(POINTS, SCORES)
def test_the_area_equals_a_fine_sum_over_budgets_and_ignores_the_order_of_rows(points, first):
    budgets = 0.25 + (2 / 3 - 0.25) * (np.arange(400) + 0.5) / 400
    fine = np.mean([score_within(curve(points, first), 1 / budget) for budget in budgets])
    assert curve_area(curve(points, first)) == pytest.approx(fine, abs=2e-3)
    assert curve_area(curve(points[::-1], first)) == curve_area(curve(points, first))


@given(POINTS, SCORES)
def test_the_frontier_rises_and_bends_down(points, first):
    cost, score = frontier(curve(points, first))
    assert (np.diff(cost) > 0).all() and (np.diff(score) > 0).all()
    assert (np.diff(np.diff(score) / np.diff(cost)) <= 1e-9).all()


def test_the_area_of_a_straight_line_is_its_score_in_the_middle_of_the_window():
    # From 0.5 at the first layer of six to 1 at the last: at a cost of 11/24, that is layer 2.75, 0.5 + 0.1 * 1.75.
    assert curve_area(curve([(1, 0.5), (6, 1.0)])) == pytest.approx(0.5 + 0.1 * 1.75)


def test_the_end_of_a_curve_is_mixed_with_the_first_exit():
    # The curve ends at 2x with 0.8, the first exit has 0.5: at 4x, halfway in layers but for 0.25, 0.5 + 0.3 * 0.5 / 2.
    assert score_within(curve([(3, 0.8), (6, 0.9)]), 4.0) == pytest.approx(0.5 + 0.3 * 0.25)
    assert score_within(curve([(3, 0.8), (6, 0.9)]), 6.0) == pytest.approx(0.5)


def test_every_model_of_a_curve_has_its_own_first_exit():
    both = pd.concat([curve([(2, 0.7)], first=0.4), curve([(4, 0.8)], first=0.6)])
    assert score_within(both, 6.0) == 0.6


def test_a_budget_need_not_be_spent():
    assert score_within(curve([(2, 0.9), (6, 0.7)]), 1.0) == 0.9


def test_a_single_static_model_has_no_area_unless_it_gets_to_the_end_of_the_window():
    assert np.isnan(curve_area(curve([(3, 0.8)], first=np.nan)))
    assert np.isnan(score_within(curve([(3.5, 0.8)], first=np.nan), 2.0))
    assert score_within(curve([(3, 0.8)], first=np.nan), 2.0) == 0.8
    models_of_k_layers = curve([(k, 0.5 + 0.1 * k) for k in range(1, 7)], first=np.nan)
    assert curve_area(models_of_k_layers) == pytest.approx(0.5 + 0.1 * 2.75)


def test_the_window_of_a_shallow_encoder_ends_at_its_first_exit():
    shallow = curve([(1, 0.5), (3, 0.9)], num_layers=3)  # 3x at most: budgets of 1 to 2 layers
    assert curve_area(shallow) == pytest.approx(0.6)
