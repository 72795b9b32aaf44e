"""The promises themselves: on fresh calibration sets from a population whose risks are known."""

import numpy as np
import pytest
from scipy.stats import binom

from cosee.evaluation.risk_population import kept_promises, population

DRAWS, LEVEL, CONFIDENCE = 400, 0.05, 0.9


@pytest.fixture(scope="module")
def kept():
    rng = np.random.default_rng(1)
    frame = kept_promises(population(rng, 5000), rng, [LEVEL], 200, DRAWS, CONFIDENCE)
    return frame.set_index("procedure")


def test_ltt_exceeds_the_level_as_rarely_as_promised(kept):
    allowed = binom.isf(0.001, DRAWS, 1 - CONFIDENCE) / DRAWS  # a share above it has probability 0.001 if all is right
    assert kept.loc["ltt", "share_above"] <= allowed < 0.16


def test_crc_keeps_the_level_in_the_mean_and_not_in_each_draw(kept):
    assert kept.loc["crc", "mean_risk"] <= LEVEL
    assert kept.loc["crc", "share_above"] > 0.2


def test_shared_keeps_more_than_the_level(kept):
    assert kept.loc["shared", "mean_risk"] < kept.loc["crc", "mean_risk"]


def test_the_naive_threshold_breaks_the_level_half_of_the_time(kept):
    assert kept.loc["naive", "mean_risk"] > LEVEL
    assert kept.loc["naive", "share_above"] > 0.4


def test_safety_costs_speed(kept):
    assert kept.loc["naive", "speedup"] > kept.loc["crc", "speedup"] > kept.loc["ltt", "speedup"] > 1


def test_the_risk_of_a_population_is_that_of_its_examples():
    everyone = population(np.random.default_rng(0), 500)
    exits = [next((m for m, s in enumerate(row) if s < 0.3), 5) for row in everyone.scores]
    risk = np.mean([row[m] for row, m in zip(everyone.loss, exits, strict=True)])
    speedup = 6 / np.mean([m + 1 for m in exits])
    assert everyone.at(0.3) == pytest.approx((risk, speedup))
    assert everyone.at(None) == (0, 1)
