import numpy as np
import pytest
from helpers.risks import LEVELS, risk_rows

from cosee.errors import InputError
from cosee.figures import risk_figure


def test_lines_are_means_over_seeds_of_one_variant_and_loss():
    frame = risk_rows()
    figure = risk_figure(frame, "note", variant="cosee", tasks=["sst2", "mnli"])
    above, below = figure.axes[:3], figure.axes[3:]
    assert [ax.get_title() for ax in above] == ["SST-2", "MNLI", "MNLI-mm"] and len(below) == 3
    for place, (task, split) in enumerate((("sst2", "dev"), ("mnli", "dev"), ("mnli", "dev_mm"))):
        here = frame[(frame["task"] == task) & (frame["split"] == split) & (frame["loss"] == "same")]
        here = here[(here["variant"] == "cosee") & (here["procedure"] == "ltt")].groupby("level")
        for ax, column, unit in ((above[place], "risk", 100), (below[place], "speedup", 1)):
            (line,) = [line for line in ax.get_lines() if line.get_label() == "LTT"]
            np.testing.assert_allclose(line.get_xdata(), 100 * np.array(LEVELS))
            np.testing.assert_allclose(line.get_ydata(), unit * here[column].mean())


def test_the_diagonal_is_the_promise():
    figure = risk_figure(risk_rows(), variant="cosee", tasks=["sst2"])
    diagonal = figure.axes[0].get_lines()[0]
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["naive", "LTT"]


def test_a_variant_without_results_is_refused():
    with pytest.raises(InputError, match="risk: there are no rows with variant 'absent'"):
        risk_figure(risk_rows(), variant="absent")
