import numpy as np
import pandas as pd
import pytest

from cosee.errors import InputError
from cosee.evaluation.training_dynamics import swm_force_by_epoch
from cosee.training.schedule import Schedule


def history(epochs, steps_per_epoch=200, warmup=0.0, beta0=10.0):
    """Rates and decay factors as the loop and Eq. 4 make them."""
    schedule = Schedule(steps_per_epoch, epochs)
    steps = range(schedule.total_steps)
    return pd.DataFrame(
        {
            "epoch": [1 + step // steps_per_epoch for step in steps],
            "lr": [2e-5 * schedule.rate(step, warmup) for step in steps],
            "beta": [beta0 * step / schedule.total_steps for step in steps],
        }
    )


@pytest.mark.parametrize(("epochs", "first"), [(1, 1.0), (2, 0.5), (5, 0.104), (10, 0.028)])
def test_the_share_of_the_first_epoch_falls_fast_with_the_number_of_epochs(epochs, first):
    shares = swm_force_by_epoch(history(epochs))
    assert list(shares.index) == list(range(1, epochs + 1))
    assert shares[1] == pytest.approx(first, abs=0.005)
    assert shares.sum() == pytest.approx(1)


@pytest.mark.parametrize("beta0", [0.2, 10.0])
def test_shares_do_not_depend_on_the_size_of_the_decay_factor(beta0):
    np.testing.assert_allclose(swm_force_by_epoch(history(3, beta0=beta0)), swm_force_by_epoch(history(3)))


def test_shares_equal_a_loop():
    rows = history(3, steps_per_epoch=7, warmup=0.3)
    total = sum(row.lr * row.beta for row in rows.itertuples())
    for epoch, share in swm_force_by_epoch(rows).items():
        assert share == pytest.approx(sum(row.lr * row.beta for row in rows.itertuples() if row.epoch == epoch) / total)


def test_without_weighting_there_is_no_force():
    assert swm_force_by_epoch(history(2, beta0=0.0)).tolist() == [0.0, 0.0]


def test_a_history_without_decay_factors_is_refused():
    with pytest.raises(InputError, match="no column beta"):
        swm_force_by_epoch(history(1).drop(columns="beta"))
