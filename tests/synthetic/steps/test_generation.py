"""The generated mini-GLUE: GLUE's form, reproducible and disjoint examples, and no cue but the chain."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import hstack
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.synthetic.steps import generation

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
        assert list(frame.columns) == [*TASKS[task].columns, "label", "idx", "difficulty", "steps"]
        assert len(frame) == sizes(task, TRAIN, DEV)[split]
        assert frame["idx"].tolist() == list(range(len(frame)))
        assert set(frame["label"]) == set(range(TASKS[task].num_classes))
        assert set(frame["steps"]) == {1, 2, 3, 4, 5, 6} and (frame["steps"] == frame["difficulty"]).all()


@pytest.mark.parametrize("task", TASKS)
def test_steps_have_their_shares_and_labels_are_balanced_within_each(data, task):
    train = data[task]["train"]
    shares = train["steps"].value_counts(normalize=True).sort_index()
    np.testing.assert_allclose(shares, generation.STEP_SHARES, atol=0.05)
    balance = pd.crosstab(train["steps"], train["label"], normalize="index")
    np.testing.assert_allclose(balance, 1 / TASKS[task].num_classes, atol=0.15)


@pytest.mark.parametrize("task", TASKS)
def test_no_text_occurs_twice_in_a_task(data, task):
    rows = [row for frame in data[task].values() for row in texts(frame, task)]
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize("task", TASKS)
def test_no_example_of_a_split_can_be_one_of_pretraining(data, task):
    assert not any(generation.for_pretraining(row) for frame in data[task].values() for row in texts(frame, task))
    examples = generation.pretraining_examples(np.random.default_rng(0), 300)
    assert all(generation.for_pretraining(example.surface.texts) for example in examples)
    assert {example.steps for example in examples} == {1, 2, 3, 4, 5, 6}
    assert {example.task for example in examples} == set(TASKS)


@pytest.mark.parametrize("task", TASKS)
def test_same_seed_same_rows_and_other_seed_other_rows(data, task):
    again = generation.generate(task, SEED, {"train": 300})["train"]
    pd.testing.assert_frame_equal(again, data[task]["train"][:300])  # rows do not depend on how many there are
    other = generation.generate(task, SEED + 1, {"train": 300})["train"]
    assert not set(texts(other, task)) & set(texts(again, task))


def test_rows_are_the_same_on_every_machine(data):
    listing = "\n".join(frame.to_csv(index=False) for splits in data.values() for frame in splits.values())
    assert hashlib.sha256(listing.encode()).hexdigest()[:16] == "3ac4fe8bef88a761"


@pytest.mark.parametrize("task", TASKS)
def test_noise_changes_the_stated_share_of_labels_and_nothing_else(task):
    noisy = generation.generate(task, SEED, {"train": 700}, noise=0.1)["train"]
    clean = generation.generate(task, SEED, {"train": 700}, noise=0.0)["train"]
    pd.testing.assert_frame_equal(noisy.drop(columns="label"), clean.drop(columns="label"))
    assert (noisy["label"] != clean["label"]).mean() == pytest.approx(0.1, abs=0.035)


def _features(task: str, frames: list[pd.DataFrame], ngrams: tuple[int, int]):
    """Counts of the words (or of words and pairs of neighbours) of each text, the texts told apart."""
    columns = list(TASKS[task].columns)
    counters = [CountVectorizer(ngram_range=ngrams).fit(frames[0][column]) for column in columns]
    return [
        hstack([counter.transform(frame[column]) for counter, column in zip(counters, columns, strict=True)])
        for frame in frames
    ]


@pytest.mark.parametrize("ngrams", [(1, 1), (1, 2)], ids=["words", "pairs of words"])
@pytest.mark.parametrize("task", TASKS)
def test_counted_words_do_not_give_the_label_away_at_any_number_of_steps(data, task, ngrams):
    train, dev = (data[task][split] for split in ("train", TASKS[task].eval_splits["dev"]))
    known, asked = _features(task, [train, dev], ngrams)
    right = LogisticRegression(C=0.1, max_iter=300).fit(known, train["label"]).predict(asked) == dev["label"]
    chance = 1 / TASKS[task].num_classes
    for steps, count in dev["steps"].value_counts().items():
        if steps == 1 and ngrams == (1, 2):
            continue  # one step can be read off neighbouring words, in principle
        share = right[dev["steps"] == steps].mean()
        assert share < chance + 4 * np.sqrt(chance * (1 - chance) / count), (steps, count, share)


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="has no 'cola'"):
        generation.generate("cola", 0, {"train": 1})
    with pytest.raises(InputError, match="no split 'dev'"):
        generation.generate("rte", 0, {"dev": 1})
