"""The generated mini-GLUE: GLUE's form, reproducible and disjoint examples, real differences in difficulty."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.synthetic import generation
from cosee.synthetic.splits import for_pretraining

SEED, TRAIN, DEV = 3, 900, 300


def sizes(task: str, train: int, validation: int) -> dict[str, int]:
    return {"train": train} | {split: validation for split in TASKS[task].eval_splits.values()}


@pytest.fixture(scope="module")
def data() -> dict[str, dict[str, pd.DataFrame]]:
    return {task: generation.generate(task, SEED, sizes(task, TRAIN, DEV)) for task in TASKS}


def texts(frame: pd.DataFrame, task: str) -> list[tuple[str, ...]]:
    return list(frame[list(TASKS[task].columns)].itertuples(index=False, name=None))


@pytest.mark.parametrize("task", TASKS)
def test_splits_columns_and_labels_are_those_of_glue(data, task):
    splits = data[task]
    assert list(splits) == ["train", *TASKS[task].eval_splits.values()]
    for split, frame in splits.items():
        assert list(frame.columns) == [*TASKS[task].columns, "label", "idx", "difficulty"]
        assert len(frame) == sizes(task, TRAIN, DEV)[split]
        assert frame["idx"].tolist() == list(range(len(frame)))
        assert set(frame["label"]) == set(range(TASKS[task].num_classes))
        assert set(frame["difficulty"]) == {1, 2, 3, 4}


@pytest.mark.parametrize("task", TASKS)
def test_labels_are_balanced_at_every_difficulty(data, task):
    shares = pd.crosstab(data[task]["train"]["difficulty"], data[task]["train"]["label"], normalize="index")
    np.testing.assert_allclose(shares, 1 / TASKS[task].num_classes, atol=0.12)


@pytest.mark.parametrize("task", TASKS)
def test_no_text_occurs_twice_in_a_task(data, task):
    rows = [row for frame in data[task].values() for row in texts(frame, task)]
    assert len(set(rows)) == len(rows)


def test_corpus_and_tasks_share_no_text(data):
    documents = {tuple(document.split("\n")) for document in generation.corpus(SEED, 3000)}
    for task, splits in data.items():
        for frame in splits.values():
            for row in texts(frame, task):
                assert row not in documents
    # The rule itself, whatever the connecting word: every text of the tasks is on the tasks' side.
    assert not any(for_pretraining(row) for task in data for frame in data[task].values() for row in texts(frame, task))


@pytest.mark.parametrize("task", TASKS)
def test_same_seed_same_rows_and_other_seed_other_rows(data, task):
    again = generation.generate(task, SEED, {"train": 300})["train"]
    pd.testing.assert_frame_equal(again, data[task]["train"][:300])  # rows do not depend on how many there are
    other = generation.generate(task, SEED + 1, {"train": 300})["train"]
    assert len(set(texts(other, task)) & set(texts(again, task))) < 150


def test_rows_are_the_same_on_every_machine(data):
    listing = "\n".join(frame.to_csv(index=False) for splits in data.values() for frame in splits.values())
    assert hashlib.sha256(listing.encode()).hexdigest()[:16] == "f15e3faeeff904d5"
    assert hashlib.sha256("\n".join(generation.corpus(SEED, 500)).encode()).hexdigest()[:16] == "ba3ce40fa521f51f"


@pytest.mark.parametrize("task", TASKS)
def test_noise_changes_the_stated_share_of_labels_and_nothing_else(task):
    noisy = generation.generate(task, SEED, {"train": 700}, noise=0.1)["train"]
    clean = generation.generate(task, SEED, {"train": 700}, noise=0.0)["train"]
    pd.testing.assert_frame_equal(noisy.drop(columns="label"), clean.drop(columns="label"))
    assert (noisy["label"] != clean["label"]).mean() == pytest.approx(0.1, abs=0.035)


def test_a_bag_of_words_solves_easy_rows_only(data):
    separated = []
    for task in TASKS:
        columns = list(TASKS[task].columns)
        train, dev = (data[task][split] for split in ("train", TASKS[task].eval_splits["dev"]))
        # Words of the two texts are told apart, but not read together.
        words = [CountVectorizer().fit(train[column]) for column in columns]
        features = [
            np.hstack(
                [
                    vectorizer.transform(frame[column]).toarray()
                    for vectorizer, column in zip(words, columns, strict=True)
                ]
            )
            for frame in (train, dev)
        ]
        right = LogisticRegression(max_iter=300).fit(features[0], train["label"]).predict(features[1]) == dev["label"]
        easy, hard = right[dev["difficulty"] == 1].mean(), right[dev["difficulty"] >= 3].mean()
        separated.append(bool(easy > 0.85 and hard < easy - 0.2))
    assert sum(separated) >= 4


def test_unknown_names_and_impossible_sizes_are_refused():
    with pytest.raises(InputError, match="has no 'cola'"):
        generation.generate("cola", 0, {"train": 1})
    with pytest.raises(InputError, match="no split 'dev'"):
        generation.generate("rte", 0, {"dev": 1})
    with pytest.raises(InputError, match="no more different examples"):
        generation.generate("mnli", 0, {"train": 20000})
