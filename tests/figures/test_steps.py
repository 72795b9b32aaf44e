import numpy as np
import pandas as pd
import pytest

from cosee.errors import InputError
from cosee.evaluation.frames import STATIC
from cosee.evaluation.step_frames import COLUMNS
from cosee.figures import steps_figure

LABELS = {"cosee": "COSEE", "vanilla": "Plain", "backbone": "Whole"}


def frame():
    parts = []
    for place, variant in enumerate([*LABELS, STATIC, "other"]):
        for seed in (0, 1):
            for target in (2.0, 3.0) if variant in ("cosee", "vanilla") else (np.nan,):
                rows = pd.DataFrame({"steps": (1, 2, 3), "accuracy": (0.9, 0.8, 0.7 - 0.1 * seed)})
                rows = rows.assign(mean_exit_layer=(2.0, 4.0, 6.0 + seed + place), oracle_depth=(1.0, 2.0, 3.0 + seed))
                identity = {"task": "sst2", "backbone": "bert", "variant": variant, "seed": seed, "split": "dev"}
                parts.append(rows.assign(target_speedup=target, **identity))
    return pd.concat(parts, ignore_index=True).reindex(columns=list(COLUMNS))


def test_lines_are_means_over_seeds_at_one_target():
    figure = steps_figure(frame(), LABELS, "note", target=2.0, tasks=["sst2", "rte"])
    above, below = figure.axes
    lines = {line.get_label(): line for line in above.get_lines()}
    assert set(lines) == {"COSEE", "Plain", "models of k layers"}  # a model without exits has no exit layer
    np.testing.assert_allclose(lines["Plain"].get_ydata(), [2, 4, 7.5])
    np.testing.assert_allclose(lines["models of k layers"].get_ydata(), [1, 2, 3.5])
    accuracy = {line.get_label(): line.get_ydata() for line in below.get_lines()}
    assert set(accuracy) == {"COSEE", "Plain", "Whole"}
    np.testing.assert_allclose(accuracy["Whole"], [90, 80, 65])
    assert [text.get_text() for text in figure.legends[0].get_texts()][-1] == "Whole"


def test_no_rows_are_refused():
    with pytest.raises(InputError, match="steps: there are no results to show"):
        steps_figure(frame().iloc[:0], LABELS, target=2.0)
