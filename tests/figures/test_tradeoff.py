"""Trade-off curves: panels, lines, signals beside each other, the emphasized method."""

import numpy as np
import pandas as pd
import pytest
from helpers import frames
from helpers.drawn import LABELS, NOTE, legend, lines

from cosee.evaluation.bands import seed_band
from cosee.figures import tradeoff_figure


def at_equal_cost(curves, line):
    """The band at the speed-ups of a line, linear in cost between operating points."""
    return seed_band(curves.assign(cost=1 / curves["speedup"]), "cost", "score", 1 / line.get_xdata())


def test_between_two_points_a_line_is_what_a_random_choice_between_them_gives():
    curves = frames.tradeoff(seeds=(1,), controls=False)
    curves = curves[(curves["variant"] == "cosee") & (curves["task"] == "sst2")].iloc[[0, 0]]
    curves = curves.assign(speedup=[1.0, 6.0], score=[0.9, 0.5])
    (line,) = tradeoff_figure(curves, {"cosee": "COSEE"}).axes[0].get_lines()
    half = 2 / (1 + 1 / 6)  # half of the examples at either point: the mean of the costs, and of the scores
    assert np.interp(half, line.get_xdata(), line.get_ydata()) == pytest.approx(70, abs=0.01)


def test_tradeoff_has_the_paper_s_panels_and_a_line_per_method():
    curves = frames.tradeoff(("qqp", "mnli", "sst2", "rte", "qnli"), tuple(LABELS))
    figure = tradeoff_figure(curves, LABELS, NOTE)
    assert [axes.get_title() for axes in figure.axes] == ["SST-2", "QNLI", "MNLI", "QQP"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["accuracy (%)"] * 3 + ["(accuracy + F1) / 2 (%)"]
    assert legend(figure) == [*LABELS.values(), "models of k layers", "random exits", "first correct exit (oracle)"]
    for axes in figure.axes:
        assert list(lines(axes)) == legend(figure)
        assert len(axes.collections) == len(LABELS)  # the bands
        assert "speed-up (×)" in axes.get_xlabel()


def test_tradeoff_draws_the_mean_of_the_frame_in_percent():
    curves = frames.tradeoff()
    axes = tradeoff_figure(curves, LABELS).axes[0]
    expected = at_equal_cost(curves[curves["variant"] == "cosee"], lines(axes)["COSEE"])
    np.testing.assert_allclose(lines(axes)["COSEE"].get_ydata(), 100 * expected["mean"])
    static = curves[(curves["variant"] == "static") & (curves["speedup"] == 2)]["score"].mean()
    points = dict(zip(*lines(axes)["models of k layers"].get_data(), strict=True))
    assert points[2.0] == pytest.approx(100 * static)
    assert max(points) == 6


def test_tradeoff_with_another_signal_for_comparison():
    entropy, energy = frames.tradeoff(exit_rule="entropy"), frames.tradeoff(seeds=(4, 5))
    figure = tradeoff_figure(entropy, LABELS, reference=energy, reference_labels={"cosee": "COSEE, energy"})
    drawn = lines(figure.axes[0])["COSEE, energy"]
    expected = at_equal_cost(energy[energy["variant"] == "cosee"], drawn)["mean"]
    np.testing.assert_allclose(drawn.get_ydata(), 100 * expected)


def test_tradeoff_without_controls_other_tasks_and_one_seed():
    figure = tradeoff_figure(frames.tradeoff(("rte", "mrpc"), seeds=(1,), controls=False, num_layers=6), LABELS)
    assert [axes.get_title() for axes in figure.axes] == ["RTE", "MRPC"]
    assert legend(figure) == [LABELS["vanilla"], LABELS["cosee"]]
    assert not figure.axes[0].collections


def test_one_of_many_methods_is_emphasized():
    many = {f"m{i}": f"method {i}" for i in range(13)} | {"cosee": "COSEE"}
    curves = frames.tradeoff(("sst2", "qnli", "rte"), tuple(many))
    figure = tradeoff_figure(curves, many, NOTE, tasks=("sst2", "qnli", "rte"), emphasized="cosee")
    assert len({axes.get_position().x0 for axes in figure.axes}) == 2  # columns
    for axes in figure.axes:
        drawn = lines(axes)
        others = [drawn[name] for name in many.values() if name != "COSEE"]
        assert drawn["COSEE"].get_linewidth() > 2 * max(line.get_linewidth() for line in others)
        assert drawn["COSEE"].get_zorder() > max(line.get_zorder() for line in others)
        assert len(axes.collections) == 1  # its band alone
    assert legend(figure)[:14] == list(many.values())


def test_a_method_with_a_model_per_point_shows_its_models():
    curves = frames.tradeoff(variants=("cosee", "vanilla"), seeds=(1, 2), controls=False)
    own = pd.DataFrame(
        [("a", 1, 1.4, 0.92), ("a", 2, 1.6, 0.90), ("b", 1, 2.9, 0.80), ("b", 2, 3.1, 0.84)],
        columns=["model", "seed", "speedup", "score"],
    )
    own = own.assign(task="sst2", backbone="bert", variant="vanilla", split="dev")
    axes = tradeoff_figure(pd.concat([curves[curves["variant"] == "cosee"], own]), LABELS).axes[0]
    line = lines(axes)[LABELS["vanilla"]]
    np.testing.assert_allclose(line.get_xdata(), [1.5, 3.0])
    np.testing.assert_allclose(line.get_ydata(), [91, 82])
    assert line.get_markevery() == 1
