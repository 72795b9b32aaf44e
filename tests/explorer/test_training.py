"""Training curves of the page: those of Figure 6, thinned."""

import numpy as np
import pandas as pd

from cosee.evaluation.bands import smooth
from cosee.explorer.pack import Pack, unpack_text
from cosee.explorer.training import MAX_STEPS, training_curves


def curve(history):
    pack = Pack()
    identity = {"task": "sst2", "backbone": "bert", "variant": "cosee", "name": "cosee-energy", "seed": 3}
    return unpack_text(pack.text({"runs": list(training_curves(history.assign(**identity), pack))}))["runs"][0]


def test_the_loss_is_the_moving_average_of_the_figure():
    rng = np.random.default_rng(0)
    history = pd.DataFrame({"step": np.arange(1, 1001), "mean_ce": rng.uniform(size=1000)})
    read = curve(history)
    assert len(read["step"]) == MAX_STEPS and (read["step"][0], read["step"][-1], read["span"]) == (1, 1000, 50)
    expected = smooth(history.assign(seed=3), "mean_ce", 50).to_numpy()[read["step"] - 1]
    np.testing.assert_allclose(read["loss"], expected, rtol=1e-6)
    assert "low" not in read


def test_the_range_of_the_thresholds_is_kept_where_there_is_one():
    history = pd.DataFrame({"step": [1, 2], "mean_ce": 1.0, "threshold_low": [0.1, 0.2], "threshold_high": [0.3, 0.4]})
    read = curve(history)
    np.testing.assert_allclose([read["low"], read["high"]], [[0.1, 0.2], [0.3, 0.4]])
    assert "low" not in curve(history.assign(threshold_low=np.nan))
