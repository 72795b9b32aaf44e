import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.runs import COSEE, HALF, TOKENS, TRAINING, do
from helpers.tiny import LAYERS, PAD

from cosee.data.batches import DeviceSplit
from cosee.errors import DivergedError
from cosee.evaluation.curve_frames import criteria_of
from cosee.evaluation.outputs import load_outputs
from cosee.evaluation.training_dynamics import swm_force_by_epoch
from cosee.exiting.online import early_exit
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers
from cosee.io import read_frame, read_json
from cosee.methods import METHODS, make_method, rule_named
from cosee.models.prediction import predict
from cosee.plan.runs import Run
from cosee.runs import device, execution
from cosee.runs.execution import STATE, progress_of, run_origin
from cosee.runs.weights import load_run


@pytest.mark.parametrize("run", [COSEE, HALF], ids=lambda run: run.name)
def test_a_run_leaves_its_files(run, tiny_bert, tmp_path, monkeypatch):
    folder = do(run, tmp_path, tiny_bert, monkeypatch)
    logits = {f"logits-{name}.npz" for name in TOKENS}
    assert {entry.name for entry in folder.iterdir()} == {"history.csv", "run.json", "model.safetensors", *logits}
    exits = (2,) if run is HALF else tuple(range(1, LAYERS + 1))
    for name, split in TOKENS.items():
        predictions = load_outputs(folder / f"logits-{name}.npz")
        assert predictions.logits.shape == (len(split), len(exits), 2)
        assert predictions.exit_depths == exits and predictions.num_layers == LAYERS
        assert np.array_equal(predictions.labels, split.labels) and np.array_equal(predictions.idx, split.idx)
    history = read_frame(folder / "history.csv")
    assert len(history) == 10
    assert list(history.filter(like="sel_accuracy").columns) == [f"sel_accuracy_{depth}" for depth in exits]
    facts = read_json(folder / "run.json")
    assert facts["run"]["seed"] == 3 and facts["fingerprint"] == run.fingerprint()
    assert facts["rows"] == {"fit": 40, "sel": 24, "dev": 20} and facts["steps"] == 10
    assert facts["sel_score"][run.rule] == pytest.approx(history["sel_score"].max())
    expected = {} if run is HALF else {"swm_force": swm_force_by_epoch(history).tolist()}
    assert {name: facts[name] for name in ("swm_force",) if name in facts} == expected
    assert facts["versions"]["torch"] == torch.__version__
    json.dumps(facts, allow_nan=False)


def test_a_grid_point_that_diverges_is_no_candidate_and_no_failure(tiny_bert, tmp_path, monkeypatch, caplog):
    absurd = replace(COSEE, training=TRAINING | {"learning_rate": 1e30})
    folder = do(replace(absurd, point="learning_rate-1e30"), tmp_path, tiny_bert, monkeypatch, splits=["sel"])
    facts = read_json(folder / "run.json")
    assert "finite" in facts["diverged"] and "sel_score" not in facts and "lower the learning rate" in caplog.text
    assert list(read_frame(folder / "history.csv").columns) == ["step", "epoch", "lr", "loss"]
    predictions = load_outputs(folder / "logits-sel.npz")
    assert predictions.logits.shape == (24, LAYERS, 2) and np.isnan(predictions.logits).all()
    assert np.isnan(list(criteria_of(predictions, "rte", RULES["energy"]).values())).all()
    with pytest.raises(DivergedError, match="finite"):
        do(absurd, tmp_path, tiny_bert, monkeypatch)


def test_what_a_killed_process_left_of_a_file_is_removed(tiny_bert, tmp_path, monkeypatch):
    left = tmp_path / HALF.folder / ".state.123.partial.safetensors"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half of it")
    folder = do(HALF, tmp_path, tiny_bert, monkeypatch, splits=["sel"])
    assert (folder / "run.json").exists() and not left.exists()


def test_the_same_run_gives_the_same_bytes(tiny_bert, tmp_path, monkeypatch):
    first, second = (do(COSEE, tmp_path / name, tiny_bert, monkeypatch) for name in ("first", "second"))
    for name in (*(f"logits-{split}.npz" for split in TOKENS), "history.csv", "model.safetensors"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    other = do(replace(COSEE, seed=4), tmp_path / "first", tiny_bert, monkeypatch)
    assert other != first
    logits = [load_outputs(folder / "logits-dev.npz").logits for folder in (first, other)]
    assert not np.allclose(*logits)


@pytest.mark.parametrize("run", [COSEE, HALF], ids=lambda run: run.name)
def test_the_weights_give_the_stored_logits(run, tiny_bert, tmp_path, monkeypatch):
    folder = do(run, tmp_path, tiny_bert, monkeypatch)
    model = load_run(folder, tiny_bert)
    logits = predict(model, DeviceSplit(TOKENS["dev"], torch.device("cpu"), PAD), 16).logits
    assert np.array_equal(logits, load_outputs(folder / "logits-dev.npz").logits)


def test_a_killed_run_resumes_and_ends_the_same(tiny_bert, tmp_path, monkeypatch):
    run = replace(COSEE, training={**TRAINING, "save_minutes": 0.0})
    whole = do(run, tmp_path / "whole", tiny_bert, monkeypatch)

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("cosee.runs.execution.save_outputs", killed)
        do(run, tmp_path / "killed", tiny_bert, monkeypatch)
    assert [entry.name for entry in (tmp_path / "killed" / run.folder).iterdir()] == [STATE]
    folder = do(run, tmp_path / "killed", tiny_bert, monkeypatch)
    for name in (*(f"logits-{split}.npz" for split in TOKENS), "history.csv", "model.safetensors"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name


def never(*args, **options):
    raise AssertionError("trained again")


def test_a_run_killed_between_training_and_its_last_file_is_not_trained_again(tiny_bert, tmp_path, monkeypatch):
    run = replace(COSEE, training={**TRAINING, "save_minutes": 0.0})

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(execution, "write_json", killed)
        do(run, tmp_path, tiny_bert, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr("cosee.training.loop._Training.train_epoch", never)
        folder = do(run, tmp_path, tiny_bert, monkeypatch)
    assert (folder / "run.json").is_file() and not (folder / STATE).exists()


def test_a_finished_run_is_left_as_it_is(tiny_bert, tmp_path, monkeypatch):
    folder = do(COSEE, tmp_path, tiny_bert, monkeypatch)
    before = {entry: entry.stat().st_mtime_ns for entry in folder.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr("cosee.runs.execution.train", None)  # cannot be called
        do(COSEE, tmp_path, tiny_bert, monkeypatch)
        do(COSEE, tmp_path, tiny_bert, monkeypatch, splits=["dev"])
    assert {entry: entry.stat().st_mtime_ns for entry in folder.iterdir()} == before


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "logits-dev.npz").unlink(),
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "run.json").write_text('{"origin": '),
        lambda folder: (folder / "run.json").write_text('{"origin": "another"}'),
    ],
)
def test_a_run_without_all_its_files_or_of_another_origin_is_trained_again(spoil, tiny_bert, tmp_path, monkeypatch):
    folder = do(HALF, tmp_path, tiny_bert, monkeypatch)
    logits = (folder / "logits-dev.npz").read_bytes()
    spoil(folder)
    do(HALF, tmp_path, tiny_bert, monkeypatch)
    assert (folder / "logits-dev.npz").read_bytes() == logits and (folder / "model.safetensors").is_file()
    assert read_json(folder / "run.json")["steps"] == 10


def test_other_settings_examples_encoders_or_criteria_are_another_origin(tiny_bert, tiny_albert):
    splits = [TOKENS["fit"], TOKENS["sel"]]
    origins = {
        run_origin(COSEE, splits, tiny_bert, "area"),
        run_origin(replace(COSEE, seed=4), splits, tiny_bert, "area"),
        run_origin(COSEE, [TOKENS["fit"].take(np.arange(39)), TOKENS["sel"]], tiny_bert, "area"),
        run_origin(COSEE, splits, tiny_albert, "area"),
        run_origin(COSEE, splits, tiny_bert, "score_at_2x"),
    }
    assert len(origins) == 5 and run_origin(COSEE, splits, tiny_bert, "area") in origins


def test_the_state_may_lie_where_it_outlives_the_folder(tiny_bert, tmp_path, monkeypatch):
    run, states = replace(COSEE, training={**TRAINING, "save_minutes": 0.0}), tmp_path / "states"
    whole = do(run, tmp_path / "whole", tiny_bert, monkeypatch)

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("cosee.runs.execution.save_outputs", killed)
        do(run, tmp_path / "lost", tiny_bert, monkeypatch, state=states)
    assert [entry.name for entry in states.iterdir()] == [STATE]
    folder = do(run, tmp_path / "found", tiny_bert, monkeypatch, state=states)
    assert (folder / "history.csv").read_bytes() == (whole / "history.csv").read_bytes()
    assert not list(states.iterdir()) and not (folder / STATE).exists()


def test_each_rule_that_a_run_serves_has_the_outputs_of_its_own_checkpoint(tiny_bert, tmp_path, monkeypatch):
    scores = {"energy": [0.5, 0.9, 0.1, 0.2], "patience": [0.1, 0.2, 0.9, 0.3], "pcee": [0.6, 0.9, 0.1, 0.2]}

    def trained(name, run):
        met = {rule: iter(values) for rule, values in scores.items()}
        criteria = lambda outputs, task, rule: {"area": next(met[rule.name])}  # noqa: E731
        monkeypatch.setattr(execution, "criteria_of", criteria)
        return do(replace(run, training=TRAINING | {"epochs": 4}), tmp_path / name, tiny_bert, monkeypatch)

    both = trained("both", replace(COSEE, other_rules=("patience", "pcee")))
    facts = read_json(both / "run.json")
    assert facts["best_epoch"] == {"energy": 2, "patience": 3, "pcee": 2}
    assert facts["sel_score"] == {"energy": 0.9, "patience": 0.9, "pcee": 0.9}
    alone = {rule: trained(rule, replace(COSEE, rule=rule)) for rule in ("energy", "patience")}
    for split in TOKENS:
        own = (both / f"logits-{split}.npz").read_bytes()
        assert own == (alone["energy"] / f"logits-{split}.npz").read_bytes()
        assert own == (both / f"logits-{split}@pcee.npz").read_bytes()
        other = (both / f"logits-{split}@patience.npz").read_bytes()
        assert other == (alone["patience"] / f"logits-{split}.npz").read_bytes() and other != own
    assert (both / "model.safetensors").read_bytes() == (alone["energy"] / "model.safetensors").read_bytes()


def test_a_grid_run_keeps_only_what_is_asked_for(tiny_bert, tmp_path, monkeypatch):
    run = replace(COSEE, point="beta0-1.0")
    folder = do(run, tmp_path, tiny_bert, monkeypatch, splits=["sel"], keep_weights=False)
    assert {entry.name for entry in folder.iterdir()} == {"history.csv", "run.json", "logits-sel.npz"}


def test_the_field_protocol_selects_on_dev(tiny_bert, tmp_path, monkeypatch):
    folder = do(
        COSEE, tmp_path, tiny_bert, monkeypatch, protocol={"name": "field", "criterion": "area"}, splits=["dev"]
    )
    assert read_json(folder / "run.json")["selection_split"] == "dev"
    history, predictions = read_frame(folder / "history.csv"), load_outputs(folder / "logits-dev.npz")
    best = history.dropna(subset="sel_score").sort_values("sel_score", kind="stable").iloc[-1]
    right = (predictions.predicted == predictions.labels[:, None]).mean(axis=0)
    found = pd.to_numeric(best[[f"sel_accuracy_{m}" for m in range(1, LAYERS + 1)]]).to_numpy()
    np.testing.assert_allclose(found, right)


def test_progress_is_a_bar_on_a_terminal_and_lines_in_a_log(monkeypatch, caplog, capsys):
    with caplog.at_level("INFO", "cosee"):
        progress_of("some/run")(3, 10, 0.5)
    assert caplog.messages == ["some/run: step 3 of 10, loss 0.5000"]
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    show = progress_of("some/run")
    show(3, 10, 0.5)
    show(10, 10, 0.25)
    shown = capsys.readouterr().err
    assert "some/run: 100%" in shown and "10/10" in shown and "loss=0.2500" in shown


def test_a_gpu_that_torch_cannot_use_is_worth_a_warning(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(device, "has_nvidia_driver", lambda: False)
    assert device.default_device() == torch.device("cpu") and not caplog.messages
    monkeypatch.setattr(device, "has_nvidia_driver", lambda: True)
    assert device.default_device() == torch.device("cpu") and "running on the CPU." in caplog.text
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.default_device() == torch.device("cuda") and len(caplog.messages) == 1


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_and_leaves_early_on_a_gpu(name, precision, tiny_bert, tmp_path, monkeypatch, gpu):
    method = make_method(name, {})
    rule = rule_named(method.exit_rule())
    run = Run("bert", "rte", name, name, None, rule.name, name, {}, TRAINING | {"precision": precision}, seed=0)
    folder = do(run, tmp_path, tiny_bert, monkeypatch, device=gpu)
    stored = load_outputs(folder / "logits-dev.npz")
    assert np.isfinite(stored.logits).all()
    if len(stored.exit_depths) == 1 or not rule.is_online:
        return
    scores = stored.exit_scores(rule)
    threshold = rule.thresholds[0] if rule.thresholds else float(np.median([0.5, *scores[np.isfinite(scores)]]))
    model, rows = load_run(folder, tiny_bert).to(gpu).eval(), DeviceSplit(TOKENS["dev"], gpu, PAD)
    _, layers = early_exit(model, rows.batch(np.arange(20)), rule, threshold, check_every=2)
    assert (layers.cpu().numpy() == exit_layers(scores, threshold, rule.harder_is)).mean() >= 0.9  # up to rounding
