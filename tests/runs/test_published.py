"""Published runs: results are computed from the stored values, and unpacking restores the folder of a run."""

import numpy as np
import pandas as pd
import pytest

from cosee.errors import InputError
from cosee.evaluation.outputs import ExitOutputs, load_outputs, save_outputs
from cosee.io import load_arrays, read_frame, write_frame, write_json
from cosee.runs.published import LABELS, publish, published_facts, published_outputs, published_runs, unpack
from cosee.runs.stored import read_run

DEPTHS, COSTS = (1, 2, 3), (1.1, 2.2, 3.3)


def write_run(folder, name="cosee-energy", seed=0, examples=6, **changes):
    """The folder of a finished run, with the splits fit, sel, dev, and a test split without labels."""
    rng = np.random.default_rng(seed)
    for split in ("fit", "sel", "dev", "test"):
        fields = {
            "logits": rng.normal(0, 5, (examples, 3, 2)).astype(np.float32),
            "labels": np.full(examples, -1) if split == "test" else np.arange(examples) % 2,
            "idx": np.arange(examples) + 100,
            "learned_scores": rng.random((examples, 3)).astype(np.float32),
        }
        fields |= changes.get(split, {})
        save_outputs(
            folder / f"logits-{split}.npz", ExitOutputs(**fields, num_layers=3, exit_depths=DEPTHS, exit_costs=COSTS)
        )
    history = {"step": [1, 2, 3], "epoch": [1, 1, 2], "lr": 0.1, "loss": 1.5, "mean_ce": [0.75, 0.5, 0.25]}
    write_frame(folder / "history.csv", pd.DataFrame(history))
    run = {"backbone": "bert", "task": "sst2", "variant": "cosee", "name": name, "seed": seed}
    write_json(folder / "run.json", {"run": run, "method": {"alpha": 0.1}, "selection_split": "sel"})
    return folder


def test_a_run_comes_back_as_it_was_but_for_the_digits_of_float16(tmp_path):
    run = write_run(tmp_path / "run")
    file = publish(run, tmp_path / "published")
    assert file == tmp_path / "published/bert/sst2/cosee-energy-seed0.npz"
    (found,) = published_runs(tmp_path / "published")
    assert found[:4] == ("bert", "sst2", "cosee-energy", 0) and published_facts(found) == read_run(run)
    unpack(found, tmp_path / "back")
    assert read_run(tmp_path / "back") == read_run(run)
    for split in ("sel", "dev"):
        before, after = (load_outputs(folder / f"logits-{split}.npz") for folder in (run, tmp_path / "back"))
        assert after.logits.dtype == np.float32
        np.testing.assert_array_equal(after.logits, before.logits.astype(np.float16))
        np.testing.assert_array_equal(after.learned_scores, before.learned_scores.astype(np.float16))
        for name in ("labels", "idx", "num_layers", "exit_depths", "exit_costs"):
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    history = read_frame(tmp_path / "back/history.csv")
    pd.testing.assert_frame_equal(history, read_frame(run / "history.csv")[["step", "epoch", "mean_ce"]])


def test_neither_training_examples_nor_those_without_labels_are_published(tmp_path):
    publish(write_run(tmp_path / "run"), tmp_path / "published")
    (found,) = published_runs(tmp_path / "published")
    assert set(published_outputs(found)) == {"sel", "dev"}
    assert set(load_arrays(found.file.parent / LABELS)) == {"labels-sel", "idx-sel", "labels-dev", "idx-dev"}


def test_the_outputs_for_another_exit_rule_come_back_too(tmp_path):
    run, other = write_run(tmp_path / "run"), write_run(tmp_path / "other", seed=1)
    for split in ("fit", "dev"):
        (other / f"logits-{split}.npz").rename(run / f"logits-{split}@pcee.npz")
    publish(run, tmp_path / "published")
    (found,) = published_runs(tmp_path / "published")
    unpack(found, tmp_path / "back", ["pcee"])
    assert {file.stem for file in (tmp_path / "back").glob("*.npz")} == {
        f"logits-{split}{rule}" for split in ("sel", "dev") for rule in ("", "@pcee")
    }
    own, missing = (load_outputs(tmp_path / f"back/logits-sel{rule}.npz") for rule in ("", "@pcee"))
    np.testing.assert_array_equal(missing.logits, own.logits)
    for name in ("logits-dev", "logits-dev@pcee"):
        before, after = (load_outputs(folder / f"{name}.npz") for folder in (run, tmp_path / "back"))
        np.testing.assert_array_equal(after.logits, before.logits.astype(np.float16))
        np.testing.assert_array_equal(after.labels, before.labels)


def test_publishing_twice_changes_nothing_and_another_run_adds_a_file(tmp_path):
    collection = tmp_path / "published"
    first = publish(write_run(tmp_path / "run"), collection)
    labels = (first.parent / LABELS).read_bytes()
    publish(tmp_path / "run", collection)
    publish(write_run(tmp_path / "other", "vanilla", seed=1), collection)
    assert [run[2:4] for run in published_runs(collection)] == [("cosee-energy", 0), ("vanilla", 1)]
    assert (first.parent / LABELS).read_bytes() == labels


def test_a_published_run_is_published_again_to_the_same_values(tmp_path):
    publish(write_run(tmp_path / "run"), tmp_path / "published")
    unpack(published_runs(tmp_path / "published")[0], tmp_path / "back")
    publish(tmp_path / "back", tmp_path / "again")
    one, other = (load_arrays(published_runs(tmp_path / name)[0].file) for name in ("published", "again"))
    assert one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("changed", [{"labels": np.ones(6, dtype=int)}, {"idx": np.arange(6)[::-1]}])
def test_runs_on_other_examples_are_refused(changed, tmp_path):
    publish(write_run(tmp_path / "run"), tmp_path / "published")
    with pytest.raises(InputError, match=r"labels\.npz: the run's (labels|idx)-dev differ from those published"):
        publish(write_run(tmp_path / "other", seed=1, dev=changed), tmp_path / "published")


def test_a_diverged_run_is_refused(tmp_path):
    run = write_run(tmp_path / "run", dev={"logits": np.full((6, 3, 2), np.nan)})
    with pytest.raises(InputError, match="the training diverged"):
        publish(run, tmp_path / "published")
    assert not (tmp_path / "published").exists()


def test_an_empty_collection_is_named(tmp_path):
    with pytest.raises(InputError, match="holds no published runs"):
        published_runs(tmp_path)


def test_missing_labels_are_named(tmp_path):
    file = publish(write_run(tmp_path / "run"), tmp_path / "published")
    (file.parent / LABELS).unlink()
    with pytest.raises(InputError, match=r"labels\.npz: no such file"):
        published_outputs(published_runs(tmp_path / "published")[0])
