"""`cosee train`: the run that the workflow would make, resumed where it was killed, and what it refuses."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
from helpers.tiny import LAYERS, PAD

from cosee.cli.train import DEFAULTS
from cosee.data.glue import cut_splits, local_rows
from cosee.data.tasks import TASKS
from cosee.data.tokens import encode, load_tokens
from cosee.io import read_frame, read_json
from cosee.plan.runs import Run
from cosee.runs.execution import STATE, RunInputs, train_and_predict
from cosee.training.settings import TrainingSettings

GOOD = "train --task sst2 --method cosee --tokens resources/tokens/bert/sst2.npz --backbone resources/backbones/bert"
FILES = {"history.csv", "run.json", "model.safetensors", "logits-fit.npz", "logits-sel.npz", "logits-dev.npz"}


def test_a_run_leaves_its_files_and_nothing_else(made):
    assert {entry.name for entry in (made / "runs/mine").iterdir()} == FILES | {"logits-cal.npz"}
    assert {entry.name for entry in (made / "runs/pabee").iterdir()} == FILES | {"tokens.npz", "logits-test.npz"}
    assert (made / "printed-0.txt").read_text().startswith("runs/mine: area 0.")


def test_it_is_the_run_that_the_workflow_makes(made, tmp_path, monkeypatch):
    training = TrainingSettings(**DEFAULTS | {"learning_rate": 0.001})
    run = Run(
        *("bert", "sst2", "cosee", "cosee", "energy", "energy", "cosee"),
        {"alpha": 0.1, "beta0": 0.2},
        asdict(training),
        seed=0,
    )
    monkeypatch.chdir(tmp_path)
    train_and_predict(
        run,
        RunInputs(load_tokens(made / "resources/tokens/bert/sst2.npz"), made / "resources/backbones/bert", LAYERS, PAD),
        protocol={"name": "heldout", "criterion": "area"},
        splits=["fit", "sel", "dev"],
        keep_weights=True,
        device=torch.device("cpu"),
    )
    for name in ("history.csv", "model.safetensors", "logits-dev.npz"):
        assert (tmp_path / run.folder / name).read_bytes() == (made / "runs/mine" / name).read_bytes(), name
    ours, theirs = read_json(made / "runs/mine/run.json"), read_json(tmp_path / run.folder / "run.json")
    assert ours["fingerprint"] == theirs["fingerprint"] and ours["run"] == theirs["run"]
    assert ours["method"]["beta0"] == 0.2 and ours["run"]["training"]["learning_rate"] == 0.001


def test_rows_of_a_folder_are_cut_and_tokenised_as_in_the_workflow(made):
    rte = TASKS["rte"]
    cut = cut_splits(local_rows(rte, made / "GLUE"), rte, "heldout", 0.1, 2000, None, 1)
    expected = encode(cut, made / "resources/backbones/bert/tokenizer.json", 128)
    tokens = load_tokens(made / "runs/pabee/tokens.npz")
    assert tokens.keys() == expected.keys() == {"fit", "sel", "dev", "test"}
    for name, split in tokens.items():
        assert all(np.array_equal(array, getattr(expected[name], field)) for field, array in vars(split).items())
    facts = read_json(made / "runs/pabee/run.json")
    assert facts["rows"] == {"fit": 54, "sel": 6, "dev": 20, "test": 30}
    assert facts["run"]["rule"] == "patience" and facts["run"]["signal"] is None
    assert facts["run"]["training"]["learning_rate"] == 0.0001 and facts["run"]["training"]["epochs"] == 3


def test_calibration_examples_are_held_out_where_they_are_asked_for(call, made, tmp_path):
    out = tmp_path / "run"
    line = "train --task rte --method pabee --training epochs=1 --data GLUE --backbone resources/backbones/bert"
    code, _, _ = call(f"{line} --cal-max 4 --out {out}")
    assert code == 0 and read_json(out / "run.json")["rows"] == {"fit": 50, "sel": 6, "cal": 4, "dev": 20, "test": 30}
    assert (out / "logits-cal.npz").is_file()


def test_a_killed_run_goes_on_and_ends_the_same(call, made, tmp_path, monkeypatch, caplog):
    settings = "--set alpha=0.1 --set beta0=0.2 --training learning_rate=0.001 --training save_minutes=0"
    line = f"{GOOD} {settings} --out {tmp_path}/run"

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cosee.runs.execution.save_outputs", killed)
        assert call(line) == (130, "", "")
    assert [entry.name for entry in (tmp_path / "run").iterdir()] == [STATE]
    with caplog.at_level("INFO", "cosee"):
        assert call(line).code == 0
    resumed = [message for message in caplog.messages if "resuming" in message]
    assert len(resumed) == 1 and "epoch 11, batch 0" in resumed[0]  # nothing is repeated
    for name in FILES - {"run.json"}:
        assert (tmp_path / "run" / name).read_bytes() == (made / "runs/mine" / name).read_bytes(), name


def test_the_field_protocol_chooses_on_dev(call, made, tmp_path):
    code, out, _ = call(f"{GOOD} --training epochs=1 --protocol field --criterion score_at_2x --out {tmp_path}/run")
    assert code == 0 and "score_at_2x 0." in out and " on dev " in out
    assert read_json(tmp_path / "run/run.json")["selection_split"] == "dev"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("--out runs/mine", "runs/mine: contains a finished run"),
        ("--tokens none.npz", "none.npz: no such file; give token ids, or examples"),
        ("--tokens pairs.csv", "pairs.csv: truncated or no .npz file"),
        ("--tokens runs/mine/logits-dev.npz", "logits-dev.npz: not a file of token ids"),
        ("--data GLUE", "argument --data: not allowed with argument --tokens"),
        ("--backbone none", "none: no config.json"),
        ("--set gamma=1", "--set gamma=1: no such setting; expected one of signal, alpha, beta0"),
        ("--set alpha=much", "--set alpha=much: expected a number, not negative"),
        ("--set alpha=-1", "--set alpha=-1: expected a number, not negative"),
        ("--set alpha", "expected NAME=VALUE, got 'alpha'"),
        ("--set num_thresholds=2.5", "expected a whole number, not negative"),
        ("--set osc_average=some", "expected present or all"),
        ("--set signal=patience", "expected energy or entropy or softmax"),
        ("--set dropout=1", "dropout must be from 0 to below 1, got 1.0"),
        ("--training epochs=0", "epochs must be a whole number above 0, got 0"),
        ("--training warmup=2", "warmup must be from 0 to 1, got 2.0"),
        ("--training precision=fp8", "expected fp32 or bf16"),
        ("--rule hunch", "exit rule 'hunch' is unknown; expected one of energy"),
        ("--seed one", "expected a whole number, not negative, got 'one'"),
        ("--seed -1", "expected a whole number, not negative, got '-1'"),
        ("--task cola", "invalid choice: 'cola'"),
    ],
)
def test_wrong_input(change, message, refused, made, tmp_path):
    assert message in refused(f"{GOOD} --out {tmp_path}/run {change}")
    assert not list(tmp_path.iterdir())


def test_token_ids_that_do_not_fit(refused, made, tmp_path):
    from helpers.tiny import token_split, write_backbone

    from cosee.data.tokens import save_tokens

    fit, many = token_split(40), token_split(20)
    many.labels[3] = 2
    save_tokens(tmp_path / "classes.npz", {"fit": fit, "sel": many})
    save_tokens(tmp_path / "field.npz", {"fit": fit, "dev": fit})
    small = write_backbone(tmp_path / "small", "bert", vocab_size=20)
    for change, message in {
        f"--tokens {tmp_path}/classes.npz": "labels from 0 to 2 in the split 'sel', but sst2 has 2 classes",
        f"--tokens {tmp_path}/field.npz": "no split 'sel', which --protocol heldout needs; it has fit, dev",
        f"--backbone {small}": "the encoder has 20 ids and 32 positions",
    }.items():
        assert message in refused(f"{GOOD} --out {tmp_path}/run {change}")


def test_rows_that_do_not_fit(refused, made, tmp_path):
    line = "train --task {} --method cosee --data {} --backbone resources/backbones/bert --out " + f"{tmp_path}/run"
    assert "--data: no file GLUE/mnli/train-*.parquet" in refused(line.format("mnli", "GLUE"))
    (tmp_path / "GLUE").mkdir()
    (tmp_path / "GLUE/mrpc").symlink_to(made / "GLUE/rte")
    assert read_frame(made / "GLUE/rte/validation-00000-of-00001.parquet")["label"].max() == 1  # fits MRPC as well
    (tmp_path / "GLUE/sst2").symlink_to(made / "GLUE/rte")
    assert "split train of sst2 lacks the column 'sentence'" in refused(line.format("sst2", tmp_path / "GLUE"))
