import struct
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from helpers import frames
from hypothesis import given
from hypothesis import strategies as st

from cosee.errors import InputError
from cosee.evaluation.bands import seed_band, smooth
from cosee.evaluation.curve_frames import oracle_frame, random_frame, tradeoff_frame
from cosee.evaluation.exit_frames import density_frame, dis_frame, histogram_frame
from cosee.evaluation.frames import RunId
from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.point_frames import operating_points
from cosee.exiting.rules import RULES
from cosee.figures import (
    dis_figure,
    energy_figure,
    exit_histogram_figure,
    latency_figure,
    paper_layers,
    save,
    tradeoff_figure,
    training_figure,
)
from cosee.figures.style import COLORS, TEXT_WIDTH, line_styles

LABELS = {variant: frames.LABELS[variant] for variant in ("vanilla", "wo_osc", "cosee")}
NOTE = "Data: generated. Backbone: tiny. Split: dev. Protocol: heldout. Runs: 3 seeds (1, 2, 3)."


def all_figures(seeds=(1, 2, 3), num_layers=12):
    few = {"seeds": seeds, "num_layers": num_layers}
    return {
        "tradeoff": tradeoff_figure(frames.tradeoff(("sst2", "qqp"), tuple(LABELS), **few), LABELS, NOTE),
        "exits": exit_histogram_figure(frames.histogram(**few), NOTE),
        "energy": energy_figure(frames.density(**few), NOTE),
        "methods": tradeoff_figure(
            frames.tradeoff(("sst2", "qqp"), tuple(LABELS), **few), LABELS, NOTE, emphasized="cosee"
        ),
        "dis": dis_figure(frames.dis(**few), LABELS, NOTE),
        "latency": latency_figure(frames.timings(num_layers), NOTE),
        "training": training_figure(frames.history(seeds=seeds, steps=200), LABELS, NOTE),
    }


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize(
    ("depth", "layers"), [(12, (2, 6, 10)), (6, (1, 3, 5)), (24, (4, 12, 20)), (2, (1,)), (3, (1, 2))]
)
def test_layers_of_the_paper_are_scaled_to_the_depth(depth, layers):
    assert paper_layers(depth) == layers


@given(st.integers(2, 48))
def test_layers_of_the_paper_are_internal_exits(depth):
    layers = paper_layers(depth)
    assert list(layers) == sorted(set(layers))
    assert layers[0] >= 1
    assert layers[-1] < depth


def test_seed_band_equals_a_loop():
    curves = frames.tradeoff(variants=("cosee",), controls=False)
    grid = np.linspace(1, 6, 11)
    band = seed_band(curves, "speedup", "score", grid)
    for position, row in zip(grid, band.itertuples(), strict=True):
        values = []
        for seed in (1, 2, 3):
            curve = curves[curves["seed"] == seed].sort_values("speedup")
            values.append(np.interp(position, curve["speedup"], curve["score"]))
        assert (row.x, row.low, row.high) == (position, min(values), max(values))
        assert row.mean == pytest.approx(sum(values) / 3)


def test_seed_band_is_missing_where_one_seed_is():
    curves = pd.DataFrame({"seed": [1, 1, 2, 2], "x": [1.0, 3.0, 1.0, 2.0], "y": [1.0, 0.0, 1.0, 0.5]})
    assert seed_band(curves, "x", "y", [1, 2, 3])["mean"].isna().tolist() == [False, False, True]


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
    expected = seed_band(curves[curves["variant"] == "cosee"], "speedup", "score", lines(axes)["COSEE"].get_xdata())
    np.testing.assert_allclose(lines(axes)["COSEE"].get_ydata(), 100 * expected["mean"])
    static = curves[(curves["variant"] == "static") & (curves["speedup"] == 2)]["score"].mean()
    points = dict(zip(*lines(axes)["models of k layers"].get_data(), strict=True))
    assert points[2.0] == pytest.approx(100 * static)
    assert max(points) == 6


def test_tradeoff_with_another_signal_for_comparison():
    entropy, energy = frames.tradeoff(exit_rule="entropy"), frames.tradeoff(seeds=(4, 5))
    figure = tradeoff_figure(entropy, LABELS, reference=energy, reference_labels={"cosee": "COSEE, energy"})
    drawn = lines(figure.axes[0])["COSEE, energy"]
    expected = seed_band(energy[energy["variant"] == "cosee"], "speedup", "score", drawn.get_xdata())["mean"]
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


def test_variants_keep_their_looks_in_all_figures():
    looks = line_styles(LABELS)
    figures = [
        tradeoff_figure(frames.tradeoff(variants=("cosee",)), LABELS),
        training_figure(frames.history(variants=("cosee",), steps=50), LABELS),
    ]
    assert {lines(figure.axes[0])["COSEE"].get_color() for figure in figures} == {looks["cosee"]["color"]}


def test_looks_of_fourteen_variants_differ():
    looks = line_styles([f"variant {i}" for i in range(14)]).values()
    assert len({str(look) for look in looks}) == 14
    assert len({look["color"] for look in list(looks)[: len(COLORS)]}) == len(COLORS)


def test_exit_histogram_shows_percent_by_class_split_and_threshold():
    histogram = frames.histogram()
    figure = exit_histogram_figure(histogram, NOTE)
    assert len(figure.axes) == 6
    assert legend(figure) == ["negative", "positive"]
    assert figure.axes[0].get_title() == "τ = 0.011 (target 1.5×)"
    for axes, split in ((figure.axes[0], "fit"), (figure.axes[3], "dev")):
        rows = histogram[(histogram["split"] == split) & (histogram["target_speedup"] == 1.5)]
        share = []
        for seed in (1, 2, 3):
            counts = rows[rows["seed"] == seed]
            share.append(100 * counts[counts["label"] == "negative"]["count"].to_numpy() / counts["count"].sum())
        heights = [bar.get_height() for bar in axes.containers[0]]
        np.testing.assert_allclose(heights, np.mean(share, axis=0))
        assert sum(bar.get_height() for bars in axes.containers for bar in bars) == pytest.approx(100)


def test_exit_histogram_says_how_far_dev_is_from_train():
    histogram = frames.histogram(seeds=(1,), points=((2.0, 0.02),))
    shares = {
        split: rows.set_index(["layer", "label"])["count"] / rows["count"].sum()
        for split, rows in histogram.groupby("split")
    }
    distance = 50 * sum(abs(shares["fit"][key] - shares["dev"][key]) for key in shares["fit"].index)
    train, dev = exit_histogram_figure(histogram).axes
    assert f"{distance:.1f} % off train" in dev.texts[0].get_text()
    assert "train" not in train.texts[0].get_text()


def test_figure_1_is_one_panel_at_a_given_threshold():
    histogram = frames.histogram("qnli", splits=("dev",), points=((np.nan, 0.4),))
    (axes,) = exit_histogram_figure(histogram, NOTE).axes
    assert axes.get_title() == "τ = 0.4"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [str(layer) for layer in range(1, 13)]


def test_exit_histogram_orders_thresholds_by_speedup_and_takes_three_classes():
    figure = exit_histogram_figure(frames.histogram("mnli", num_layers=6, points=((4.0, 0.08), (1.5, 0.01))))
    assert ["1.5×" in axes.get_title() for axes in figure.axes[:2]] == [True, False]
    assert legend(figure) == ["entailment", "neutral", "contradiction"]


def test_energy_panels_draw_the_densities_of_three_layers():
    density = frames.density()
    figure = energy_figure(density, NOTE)
    assert legend(figure) == ["layer 2", "layer 6", "layer 10"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["energy score", "normalized energy score"]
    rows = density[(density["kind"] == "raw") & (density["layer"] == 6) & (density["seed"] == 1)]
    outline = next(patch for patch in figure.axes[0].patches if patch.get_label() == "layer 6")
    np.testing.assert_array_equal(outline.get_data().values, rows["density"])
    np.testing.assert_array_equal(outline.get_data().edges, [*rows["bin_left"], rows["bin_right"].iloc[-1]])


def test_energy_takes_the_layers_at_hand_or_asked_for():
    density = frames.density(seeds=(1,))
    few = density[density["layer"].isin((3, 12))]
    assert legend(energy_figure(few)) == ["layer 3", "layer 12"]
    assert legend(energy_figure(density, layers=(1,))) == ["layer 1"]
    assert legend(energy_figure(frames.density(seeds=(1,), num_layers=6))) == ["layer 1", "layer 3", "layer 5"]


def test_dis_heatmap_annotates_mean_and_deviation():
    dis = frames.dis()
    figure = dis_figure(dis, LABELS, NOTE)
    assert [axes.get_title() for axes in figure.axes[:2]] == ["SST-2", "QNLI"]
    axes = figure.axes[1]
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == list(LABELS.values())
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["2", "6", "10"]
    cell = dis[(dis["task"] == "qnli") & (dis["variant"] == "cosee") & (dis["layer"] == 10)]["dis"]
    assert axes.texts[-1].get_text() == f"{cell.mean():.1f}\n±{cell.std():.1f}"
    shown = axes.collections[0].get_array().reshape(len(LABELS), -1)
    assert shown[list(LABELS).index("cosee"), 2] == pytest.approx(cell.mean())


def test_dis_heatmap_of_six_layers_with_an_undefined_value():
    dis = frames.dis(("rte",), seeds=(1,), num_layers=6)
    dis.loc[(dis["variant"] == "vanilla") & (dis["layer"] == 1), "dis"] = np.nan
    axes = dis_figure(dis, LABELS).axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "3", "5"]
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts[0.5, list(LABELS).index("vanilla") + 0.5] == "–"
    assert sum(text == "–" for text in texts.values()) == 1
    assert "±" not in "".join(texts.values())


def test_latency_shows_speedups_by_batch_size_and_single_examples_by_exit_layer():
    figure = latency_figure(frames.timings(layer=0.002, embed=0.001, test=0.0))
    speedups, rows = figure.axes
    assert {"batch size 1", "batch size 8"} <= lines(speedups).keys()
    x, y = lines(speedups)["batch size 8"].get_data()
    mean = 12 / x
    np.testing.assert_allclose(y, (12 * 0.002 + 0.001) / (mean * 0.002 + 0.001))
    exits, milliseconds = lines(rows)["early exit, single examples"].get_data()
    np.testing.assert_allclose(milliseconds, 2 * (exits * 2 + 1))  # the median round takes twice as long as the first


def test_latency_without_single_examples_has_one_panel():
    assert len(latency_figure(frames.timings(batch_sizes=(8, 16))).axes) == 1


def test_training_curves_are_a_moving_average():
    history = frames.history(("rte",), seeds=(1, 2), steps=40)
    figure = training_figure(history, LABELS, NOTE, window=5)
    line = lines(figure.axes[0])["COSEE"]
    expected = []
    for seed in (1, 2):
        loss = history[(history["variant"] == "cosee") & (history["seed"] == seed)]["mean_ce"].to_numpy()
        expected.append([loss[max(0, step - 2) : step + 3].mean() for step in range(40)])
    np.testing.assert_allclose(line.get_ydata(), np.mean(expected, axis=0))
    np.testing.assert_array_equal(line.get_xdata(), range(1, 41))
    assert len(figure.axes[0].collections) == len(LABELS)


def test_smoothing_does_not_mix_seeds():
    runs = pd.DataFrame({"seed": [1, 1, 2, 2], "step": [1, 2, 1, 2], "loss": [0.0, 0.0, 8.0, 8.0]})
    assert smooth(runs, "loss", 3).tolist() == [0, 0, 8, 8]


def test_figures_take_what_evaluation_gives():
    rng = np.random.default_rng(0)
    predictions = ExitOutputs(
        rng.normal(size=(80, 6, 2)), np.arange(80) % 2, np.arange(80), 6, tuple(range(1, 7)), tuple(range(1, 7))
    )
    run, energy = RunId("sst2", "bert", "cosee", 1, "cosee-energy"), RULES["energy"]
    (thresholds,) = operating_points([predictions], energy)
    curves = [
        tradeoff_frame(run, predictions, "dev", energy),
        random_frame(run, predictions, "dev", rng),
        oracle_frame(run, predictions, "dev"),
    ]
    histogram = histogram_frame(run, predictions, "dev", energy, thresholds)
    figures = [
        tradeoff_figure(pd.concat(curves), LABELS),
        exit_histogram_figure(histogram),
        energy_figure(density_frame(run, predictions, "dev")),
        dis_figure(dis_frame(run, predictions, "dev", energy), LABELS),
    ]
    assert len(lines(figures[0].axes[0])) == 3
    assert np.isfinite(lines(figures[0].axes[0])["COSEE"].get_ydata()).all()
    assert len(figures[1].axes) == len(thresholds)
    assert legend(figures[2]) == ["layer 1", "layer 3", "layer 5"]
    assert len(figures[3].axes[0].texts) == 3


@pytest.mark.parametrize(("seeds", "num_layers"), [((1,), 6), ((1, 2, 3), 12)])
def test_every_figure_is_legible_and_says_where_it_comes_from(seeds, num_layers):
    for name, figure in all_figures(seeds, num_layers).items():
        figure.draw_without_rendering()
        assert figure.get_figwidth() <= TEXT_WIDTH, name
        assert " ".join(figure.get_supxlabel().split()) == NOTE, name
        texts = [text for text in figure.findobj(lambda artist: hasattr(artist, "get_fontsize")) if text.get_text()]
        assert min(text.get_fontsize() for text in texts) >= 7, name
        inside, page = figure.bbox, figure.get_tightbbox().transformed(figure.dpi_scale_trans)
        assert page.x0 >= inside.x0 - 1, name
        assert page.x1 <= inside.x1 + 1, name
        assert page.y0 >= inside.y0 - 1, name
        assert page.y1 <= inside.y1 + 1, name


def test_labels_outside_the_data_do_not_overlap():
    many = {f"m{i}": f"a rather long name of method {i}" for i in range(9)}
    figure = tradeoff_figure(frames.tradeoff(("sst2", "qnli", "mnli"), tuple(many), seeds=(1,)), many, NOTE * 4)
    figure.draw_without_rendering()
    top = figure.legends[0].get_window_extent()
    bottom = figure._supxlabel.get_window_extent()
    assert top.x0 >= 0
    assert top.x1 <= figure.bbox.x1
    assert bottom.x1 <= figure.bbox.x1
    for axes in figure.axes:
        assert not axes.get_tightbbox().overlaps(top)
        assert not axes.get_tightbbox().overlaps(bottom)


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_the_same_figure_gives_the_same_bytes(tmp_path, suffix):
    for name in ("first", "second"):
        save(dis_figure(frames.dis(("sst2",)), LABELS, NOTE), tmp_path / f"{name}{suffix}")
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("first", "second"))
    assert first == second
    assert len(first) > 5000
    assert b"atplotlib v" not in first
    assert b"dc:date" not in first
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"first{suffix}", f"second{suffix}"]


def test_png_has_the_resolution_of_print(tmp_path):
    save(dis_figure(frames.dis(), LABELS, NOTE), tmp_path / "dis.png")
    width, _ = struct.unpack(">II", (tmp_path / "dis.png").read_bytes()[16:24])
    assert width == 300 * TEXT_WIDTH


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "dis.svg"
    path.write_text("old")
    figure = dis_figure(frames.dis(), LABELS)
    monkeypatch.setattr(figure, "savefig", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save(figure, path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("dis.svg", "old")]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: tradeoff_figure(frames.tradeoff().iloc[:0], LABELS),
        lambda: exit_histogram_figure(frames.histogram().iloc[:0]),
        lambda: energy_figure(frames.density(seeds=(1,)).iloc[:0]),
        lambda: dis_figure(frames.dis().iloc[:0], LABELS),
        lambda: training_figure(frames.history(steps=9).iloc[:0], LABELS),
        lambda: latency_figure(frames.timings().iloc[:0]),
    ],
)
def test_an_empty_frame_is_refused(draw):
    with pytest.raises(InputError, match="empty"):
        draw()


def test_unclear_or_missing_rows_are_refused():
    two = pd.concat([frames.tradeoff(seeds=(1,)), frames.tradeoff(seeds=(1,)).assign(backbone="albert")])
    with pytest.raises(InputError, match="choose one backbone of bert, albert"):
        tradeoff_figure(two, LABELS)
    assert tradeoff_figure(two, LABELS, backbone="albert").axes
    with pytest.raises(InputError, match="no rows with split 'test', only dev"):
        tradeoff_figure(two, LABELS, backbone="bert", split="test")
    with pytest.raises(InputError, match="no results of unknown, only of vanilla, cosee"):
        tradeoff_figure(frames.tradeoff(seeds=(1,), controls=False), {"unknown": "?"})


def test_importing_figures_loads_neither_torch_nor_a_display():
    code = "import sys, cosee.figures; print({'torch', 'transformers', 'matplotlib.pyplot'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
