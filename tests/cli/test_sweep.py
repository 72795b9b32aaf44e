"""`cosee sweep`: every operating point, thresholds chosen on one split and applied to another, no torch."""

import subprocess
import sys

import numpy as np
import pytest

from cosee.evaluation.outputs import ExitOutputs, load_outputs
from cosee.evaluation.point_frames import operating_points
from cosee.evaluation.temperature import fit_temperatures
from cosee.exiting.simulation import exit_layers, speedup_ratio, sweep
from cosee.io import read_frame
from cosee.methods import rule_named


def table_of(printed):
    """Rows of the printed table, by column."""
    header, *rows = (line.split() for line in printed.splitlines())
    return [dict(zip(header, map(float, row), strict=True)) for row in rows]


def test_the_file_holds_every_operating_point(made):
    for name, split, rule in (("tradeoff", "dev", "energy"), ("patience", "fit", "patience")):
        frame = read_frame(made / f"{name}.csv")
        predictions = load_outputs(made / f"runs/mine/logits-{split}.npz")
        scores, harder_is = predictions.exit_scores(rule_named(rule)), rule_named(rule).harder_is
        assert len(frame) == len(sweep(scores, harder_is).thresholds)
        assert set(frame["split"]) == {split} and set(frame["exit_rule"]) == {rule} and set(frame["task"]) == {"sst2"}
        for row in frame.iloc[[0, len(frame) // 2, -1]].to_dict("records"):
            layers = exit_layers(scores, row["threshold"], harder_is)
            right = predictions.predicted[np.arange(len(layers)), layers] == predictions.labels
            assert row["accuracy"] == pytest.approx(right.mean())
            assert row["speedup"] == pytest.approx(speedup_ratio(layers, predictions.num_layers))


def test_targets_are_sought_on_sel_and_shown_on_dev(call, made, tmp_path):
    code, out, err = call(f"sweep runs/mine --targets 1.5 3 --out {tmp_path}/x.csv")
    assert code == 0 and not err
    table, rule = table_of(out), rule_named("energy")
    sel, dev = (load_outputs(made / f"runs/mine/logits-{split}.npz") for split in ("sel", "dev"))
    (points,) = operating_points([sel], rule, [1.5, 3.0])
    assert [row["target_speedup"] for row in table] == [1.5, 3.0] and "f1" not in table[0]
    for row, (_, threshold) in zip(table, points, strict=True):
        assert row["threshold"] == pytest.approx(threshold, rel=1e-7)
        layers = exit_layers(dev.exit_scores(rule), threshold, rule.harder_is)
        assert row["speedup"] == pytest.approx(speedup_ratio(layers, dev.num_layers), abs=1e-4)


def test_schedules_are_fitted_on_sel_and_shown_on_dev(call, made, tmp_path):
    code, out, err = call(f"sweep runs/mine --rule eenet --targets 1.5 2 3 --out {tmp_path}/x.csv")
    assert code == 0 and not err
    sel, dev = (load_outputs(made / f"runs/mine/logits-{split}.npz") for split in ("sel", "dev"))
    rules = {rule.thresholds[0]: rule for rule in rule_named("eenet").fit(sel.logits, sel.labels)}
    for row in table_of(out):
        layers = exit_layers(dev.exit_scores(rules[row["threshold"]]), row["threshold"], "smaller")
        assert row["speedup"] == pytest.approx(speedup_ratio(layers, dev.num_layers), abs=1e-4)
    frame = read_frame(tmp_path / "x.csv")
    assert set(frame["exit_rule"]) == {"eenet"} and set(frame["rule"]) == {rule.name for rule in rules.values()}
    assert frame["speedup"].min() == 1


@pytest.mark.parametrize("name", ["softmax", "geometric"])
def test_temperatures_are_fitted_on_the_named_split(name, call, made, tmp_path):
    code, out, err = call(f"sweep runs/mine --rule {name} --temperatures sel --targets 2 --out {tmp_path}/x.csv")
    assert code == 0 and not err
    sel, dev = (load_outputs(made / f"runs/mine/logits-{split}.npz") for split in ("sel", "dev"))
    scale = fit_temperatures(sel.logits, sel.labels)[:, None]
    warm = [ExitOutputs(**vars(split) | {"logits": split.logits / scale}) for split in (sel, dev)]
    rule, (row,) = rule_named(name), table_of(out)
    (((_, threshold),),) = operating_points(warm[:1], rule, [2.0])
    layers = exit_layers(warm[1].exit_scores(rule), threshold, rule.harder_is)
    right = warm[1].answers(rule)[np.arange(len(layers)), layers] == dev.labels
    assert (row["threshold"], row["accuracy"]) == pytest.approx((threshold, right.mean()), rel=1e-4, abs=1e-4)


def test_risks_are_not_certified_on_what_the_temperatures_were_fitted_on(call, made, tmp_path):
    code, _, err = call(f"sweep runs/mine --temperatures cal --risks 0.1 --out {tmp_path}/x.csv")
    assert code == 2 and "risks are certified on cal, whose examples may not shape the scores; fit on sel." in err


def test_a_model_of_half_the_layers_has_one_point(call, made, tmp_path):
    code, *_ = call(
        "train --task sst2 --method finetune --set depth=2 --training epochs=1 "
        f"--tokens resources/tokens/bert/sst2.npz --backbone resources/backbones/bert --out {tmp_path}/half"
    )
    assert code == 0
    _, out, _ = call(f"sweep {tmp_path}/half --out {tmp_path}/x.csv")
    (row,) = table_of(out)
    assert row["speedup"] == 2 and row.keys() == {"speedup", "speedup_flops", "score", "accuracy"}
    assert len(read_frame(tmp_path / "x.csv")) == 1


def test_no_torch_is_imported(made, tmp_path):
    code = "import sys, cosee.cli\ncode = cosee.cli.main()\nsys.exit(99 if 'torch' in sys.modules else code)"
    command = [sys.executable, "-c", code, "sweep", str(made / "runs/mine"), "--out", str(tmp_path / "x.csv")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and len(done.stdout.splitlines()) == 5
    assert (tmp_path / "x.csv").read_bytes() == (made / "tradeoff.csv").read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("--split test", "runs/mine: no predictions of the split 'test'; the run has cal, dev, fit, sel"),
        ("--out runs", "sweep: error: runs: is a folder; choose the name of a file"),
        ("--rule hunch", "exit rule 'hunch' is unknown"),
        ("--rule quantile", "reads learned scores"),
        ("--targets 9", "target speed-up 9.0: with 4 layers it must lie between 1 and 4"),
        ("--targets nan", "target speed-up nan"),
        ("--rule eenet --targets 9", "target speed-up 9.0: with 4 layers it must lie between 1 and 4"),
        ("--rule eenet --temperatures sel", "the exit rule eenet is fitted to logits as they are; leave them out."),
        ("--rule eenet --risks 0.1", "the exit rule eenet has schedules, and no threshold; choose another rule."),
    ],
)
def test_wrong_input(change, message, refused, made, tmp_path):
    assert message in refused(f"sweep runs/mine --out {tmp_path}/x.csv {change}")
    assert not list(tmp_path.iterdir())


def test_certified_risks_are_shown(call, made, tmp_path):
    code, out, _ = call(f"sweep runs/mine --risks 0.01 0.6 --out {tmp_path / 'curve.csv'}")
    lines = out.splitlines()[-3:]
    assert code == 0 and lines[0].split() == ["level", "threshold", "risk", "low", "high", "speedup", "score"]
    assert lines[1].split()[:3] == ["0.01", "none", "0.0000"] and lines[1].split()[5] == "1.0000"
    assert float(lines[2].split()[5]) > 1
