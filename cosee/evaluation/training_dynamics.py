"""Quantities of a finished training that its history tells: how strongly a mechanism acted, and when."""

import pandas as pd

from cosee.errors import InputError


def swm_force_by_epoch(history: pd.DataFrame) -> pd.Series:
    """Share of the sample weighting mechanism's force that falls in each epoch.

    The weights differ from uniform ones by about beta_t (Eq. 4), and a step moves the model by about its learning rate:
    the force of a step is lr_t * beta_t. In the first epoch the range of the thresholds is no measured one unless
    `initial_range` is; a training with most of its force there says little about sample-wise consistency.

    Args:
        history: one row per optimizer step: columns epoch (from 1), lr and beta.

    Returns:
        Shares by epoch, which sum to 1; all 0 where beta is 0 throughout.

    Raises:
        InputError: the history has no decay factors, so it is none of COSEE.
    """
    if "beta" not in history.columns:
        raise InputError("the history has no column beta, which only trainings of the method cosee write.")
    force = (history["lr"] * history["beta"]).groupby(history["epoch"]).sum().rename("swm_force")
    total = force.sum()
    return force / total if total > 0 else force
