"""Sources of examples: what is read, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from helpers.splits import cut, generated, message_of, with_test

from cosee.data.cuts import COLUMNS
from cosee.data.glue import check_rows, hub_rows, local_rows
from cosee.data.tasks import TASKS
from cosee.io import write_frame

EACH = pytest.mark.parametrize("name", TASKS)
SST2, MNLI = TASKS["sst2"], TASKS["mnli"]


def write_local(rows, task, folder, shards=1):
    for split, frame in rows.items():
        for number, part in enumerate(np.array_split(np.arange(len(frame)), shards)):
            path = folder / task.name / f"{split}-{number:05d}-of-{shards:05d}.parquet"
            write_frame(path, frame.iloc[part])


@EACH
def test_all_three_sources_give_the_same_frame(name, tmp_path, monkeypatch):
    import datasets

    task, asked = TASKS[name], []
    rows = with_test(generated(name), task)

    def load_dataset(repository, config, revision):
        asked.append((repository, config, revision))
        return {split: datasets.Dataset.from_pandas(frame) for split, frame in rows.items()}

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    write_local(rows, task, tmp_path)
    frames = [
        cut(source, task) for source in (rows, local_rows(task, tmp_path), hub_rows(task, "nyu-mll/glue", "a" * 40))
    ]
    assert asked == [("nyu-mll/glue", name, "a" * 40)]
    assert tuple(frames[0].columns) == COLUMNS
    assert list(frames[0]["split"].unique()) == ["fit", "sel", *task.eval_splits, *task.test_splits]
    pd.testing.assert_frame_equal(frames[0], frames[1])
    pd.testing.assert_frame_equal(frames[0], frames[2])


@EACH
def test_labels_of_test_rows_are_left_behind(name):
    task = TASKS[name]  # the hub has those of MRPC's test split, and -1 for all others
    rows = generated(name)
    rows |= dict.fromkeys(task.test_splits.values(), next(iter(rows.values())))
    check_rows(rows, task, "hub")
    labels = cut(rows, task).groupby("split")["label"]
    for split, values in labels:
        assert set(values) == ({-1} if split in task.test_splits else set(range(task.num_classes)))


@EACH
def test_texts_labels_and_row_numbers_arrive_unchanged(name):
    task, rows = TASKS[name], generated(name)
    dev, source = cut(rows, task).query("split == 'dev'"), rows[task.eval_splits["dev"]]
    assert list(dev["text_a"]) == list(source[task.columns[0]])
    assert list(dev["text_b"]) == (list(source[task.columns[1]]) if len(task.columns) == 2 else [""] * len(source))
    for column in ("label", "idx", "difficulty"):
        assert list(dev[column]) == list(source[column])


def test_shards_of_a_split_are_put_together_in_order(tmp_path):
    rows = generated("sst2")
    write_local(rows, SST2, tmp_path, shards=3)
    pd.testing.assert_frame_equal(local_rows(SST2, tmp_path)["train"], rows["train"], check_dtype=False)


def test_a_local_copy_needs_no_test_split(tmp_path):
    write_local(generated("mnli"), MNLI, tmp_path)
    rows = local_rows(MNLI, tmp_path)
    assert list(rows) == ["train", "validation_matched", "validation_mismatched"]
    assert list(cut(rows, MNLI)["split"].unique()) == ["fit", "sel", "dev", "dev_mm"]


def test_difficulty_is_zero_where_the_source_has_none():
    rows = {split: frame.drop(columns="difficulty") for split, frame in generated("rte").items()}
    assert set(cut(rows, TASKS["rte"])["difficulty"]) == {0}


def test_a_hub_that_cannot_be_reached_is_one_sentence(monkeypatch):
    import datasets

    def load_dataset(*args, **kwargs):
        raise ConnectionError("Couldn't reach the Hub\nand a long story")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    message = message_of(lambda: hub_rows(SST2, "nyu-mll/glue", "a" * 40))
    assert "sst2" in message and "Couldn't reach the Hub" in message and "data_dir=FOLDER" in message


@pytest.mark.parametrize("split", ["train", "validation_mismatched"])
def test_a_missing_file_of_a_local_copy_is_named(split, tmp_path):
    rows = generated("mnli")
    del rows[split]
    write_local(rows, MNLI, tmp_path)
    assert f"mnli/{split}-*.parquet" in message_of(lambda: local_rows(MNLI, tmp_path))


def test_a_folder_without_the_task_is_named(tmp_path):
    assert "sst2/train-*.parquet" in message_of(lambda: local_rows(SST2, tmp_path / "nowhere"))


@pytest.mark.parametrize("share", [0, 0.5, 0.95])
def test_a_corrupt_file_of_a_local_copy_is_named(share, tmp_path):
    write_local(generated("sst2"), SST2, tmp_path)
    path = tmp_path / "sst2" / "validation-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert str(path) in message_of(lambda: local_rows(SST2, tmp_path))


def check_changed(change, name="rte"):
    rows = with_test(generated(name), TASKS[name])
    check_rows(rows, TASKS[name], "data_dir")
    return message_of(lambda: check_rows(rows | change(rows), TASKS[name], "data_dir"))


@pytest.mark.parametrize("column", ["sentence1", "sentence2", "label", "idx"])
def test_a_missing_column_is_named(column):
    message = check_changed(lambda rows: {"validation": rows["validation"].drop(columns=column)})
    assert message.startswith("data_dir: split validation of rte") and repr(column) in message


@pytest.mark.parametrize("label", [2, -1, 0.5, "entailment"])
def test_a_foreign_label_is_named(label):
    def change(rows):
        frame = rows["train"].astype({"label": object})
        frame.loc[7, "label"] = label
        return {"train": frame}

    message = check_changed(change)
    assert "train" in message and f"label {label!r}" in message and "[0, 1]" in message


def test_an_empty_split_is_named():
    assert "validation of rte has no rows" in check_changed(lambda rows: {"validation": rows["validation"].iloc[:0]})


def test_a_missing_text_is_named():
    def change(rows):
        frame = rows["train"].copy()
        frame.loc[5, "sentence2"] = None
        return {"train": frame}

    assert "row 5 of split train of rte has no text in 'sentence2'" in check_changed(change)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_source_without_a_needed_split_is_refused(split):
    rows = with_test(generated("sst2"), SST2)
    del rows[split]
    assert f"no split {split}" in message_of(lambda: check_rows(rows, SST2, "nyu-mll/glue"))


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("sentence", b"caf\xe9", "split train of sst2 has bytes in 'sentence'; expected text."),
        ("sentence", 3.0, "split train of sst2 has float in 'sentence'; expected text."),
        ("sentence", [" "] * 60, "split train of sst2 has only empty texts in 'sentence'."),
        ("idx", None, "row 3 has None in 'idx'; expected a whole number."),
        ("idx", "r0", "row 3 has 'r0' in 'idx'; expected a whole number."),
        ("idx", float("inf"), "row 3 has inf in 'idx'; expected a whole number."),
        ("idx", 0.5, "row 3 has 0.5 in 'idx'; expected a whole number."),
        ("difficulty", float("nan"), "row 3 has nan in 'difficulty'; expected a whole number."),
        ("label", [0], "holds the label [0]; expected one of [0, 1]."),
        ("label", True, "holds the label True; expected one of [0, 1]."),
        ("label", "1", "holds the label '1'; expected one of [0, 1]."),
    ],
)
def test_values_of_another_type_are_named(column, value, sentence):
    rows = generated("sst2")
    values = rows["train"][column].tolist()
    if column == "sentence" and isinstance(value, list):
        values = value
    else:
        values[3] = value
    rows["train"] = rows["train"].assign(**{column: pd.Series(values, dtype=object)})
    assert sentence in message_of(lambda: check_rows(rows, SST2, "here"))


@pytest.mark.parametrize("label", [None, "x", 0.5])
def test_labels_of_test_splits_may_be_anything(label):
    rows = with_test(generated("sst2"), SST2)
    rows["test"] = rows["test"].assign(label=label)
    check_rows(rows, SST2, "here")
    assert set(cut(rows, SST2).query("split == 'test'")["label"]) == {-1}
