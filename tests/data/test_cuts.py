"""The splits of a task: shares, seeds, and nothing held out that is trained on."""

import os
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from helpers.splits import cut, generated, message_of, texts, with_test

from cosee.data.cuts import split_counts
from cosee.data.glue import check_rows, local_rows
from cosee.data.tasks import TASKS
from cosee.synthetic import generation

EACH = pytest.mark.parametrize("name", TASKS)
SST2, MNLI = TASKS["sst2"], TASKS["mnli"]


@pytest.mark.parametrize(("fraction", "most", "expected"), [(0.1, 2000, 50), (0.1, 30, 30), (0.25, 2000, 125)])
def test_sel_is_a_share_of_train_but_not_more_than_the_limit(fraction, most, expected):
    frame = cut(generated("rte", 500), TASKS["rte"], fraction=fraction, most=most)
    assert frame["split"].value_counts().to_dict() == {"fit": 500 - expected, "sel": expected, "dev": 20}


@EACH
def test_sel_has_the_label_shares_of_train(name):
    rows = generated(name, 600)
    sel = cut(rows, TASKS[name]).query("split == 'sel'")
    expected = rows["train"]["label"].value_counts(normalize=True) * len(sel)
    assert ((sel["label"].value_counts() - expected).abs() < 1).all()


def test_nothing_that_is_selected_on_is_trained_on():
    train = generated("sst2", 300)["train"]
    doubled = pd.concat([train, train.iloc[:200].assign(idx=lambda frame: frame["idx"] + 1000)], ignore_index=True)
    frame = cut({"train": doubled, "validation": train.iloc[:20]}, SST2)
    fit, sel = frame.query("split == 'fit'"), frame.query("split == 'sel'")
    assert len(sel) == 50 and len(fit) == 450
    assert not texts(fit) & texts(sel)
    assert not set(fit["idx"]) & set(sel["idx"])


def test_the_cut_is_the_same_for_a_seed_and_another_for_another():
    rows = generated("sst2", 300)
    first, again, other = cut(rows, SST2), cut(rows, SST2), cut(rows, SST2, seed=2)
    pd.testing.assert_frame_equal(first, again)
    assert set(first.query("split == 'sel'")["idx"]) != set(other.query("split == 'sel'")["idx"])


def test_the_field_protocol_trains_on_everything_and_has_no_sel():
    rows = generated("sst2", 300)
    frame = cut(rows, SST2, "field")
    assert frame["split"].value_counts().to_dict() == {"fit": 300, "dev": 20}
    assert list(frame.query("split == 'fit'")["idx"]) == list(rows["train"]["idx"])


@pytest.mark.parametrize("protocol", ["heldout", "field"])
def test_train_rows_limits_fit_alone_and_keeps_the_label_shares(protocol):
    rows = generated("mnli", 600)
    full, limited = cut(rows, MNLI, protocol), cut(rows, MNLI, protocol, train_rows=90)
    fit = limited.query("split == 'fit'")
    assert len(fit) == 90
    expected = full.query("split == 'fit'")["label"].value_counts(normalize=True) * 90
    assert ((fit["label"].value_counts() - expected).abs() < 1).all()
    assert texts(fit) < texts(full.query("split == 'fit'"))
    pd.testing.assert_frame_equal(
        limited.query("split != 'fit'").reset_index(drop=True), full.query("split != 'fit'").reset_index(drop=True)
    )
    pd.testing.assert_frame_equal(cut(rows, MNLI, protocol, train_rows=10**6), full)


def test_counts_are_the_rows_of_each_class_in_each_split():
    rows = with_test(generated("mnli", 100), MNLI)
    frame = cut(rows, MNLI)
    counts = split_counts(frame, MNLI)
    assert counts.groupby("split")["rows"].sum().to_dict() == {
        "fit": 90, "sel": 10, "dev": 20, "dev_mm": 20, "test": 100, "test_mm": 100
    }  # fmt: skip
    found = counts.set_index(["split", "label"])["rows"]
    assert found["test", -1] == 100
    assert found["fit", 1] + found["sel", 1] == (rows["train"]["label"] == 1).sum()
    assert set(counts["task"]) == {"mnli"}


PHRASES = (
    "a dull and noisy film with a good cast",
    "a good cast",
    "a dull and noisy film",
    "good",
    "the cast is fine but the music is bad",
    "the music is bad",
    "we liked it",
    "we liked it",
    "nobody saw a funny film",
    "a funny film",
)


@pytest.mark.parametrize("seed", range(5))
def test_whole_sentences_are_held_out_and_their_phrases_are_not_trained_on(seed):
    frame = pd.DataFrame({"sentence": PHRASES, "label": [0, 1] * 5, "idx": range(10)})
    rows = {"train": frame, "validation": frame}
    found = cut(rows, SST2, fraction=0.4, seed=seed, held_rows=1, grouped=True)
    fit, sel, held = (found.query(f"split == '{split}'")["text_a"].tolist() for split in ("fit", "sel", "held"))
    assert len(sel) == 1 and sel[0] in {PHRASES[0], PHRASES[4], PHRASES[8]} and held and fit
    for out in (sel, held):
        assert not any(f" {text} " in spaced(fit) for text in out)
        assert not any(f" {text} " in spaced(out) for text in fit)


def test_examples_with_one_premise_go_to_one_split():
    count = 60
    premises, hypotheses = [f"p{i // 3}" for i in range(count)], [f"h{i}" for i in range(count)]
    frame = pd.DataFrame({"premise": premises, "hypothesis": hypotheses})
    frame = frame.assign(label=[0, 1, 2] * 20, idx=range(count))
    rows = {"train": frame, "validation_matched": frame, "validation_mismatched": frame}
    found = cut(rows, MNLI, fraction=0.1, held_rows=4, grouped=True)
    found = found[found["split"].isin(["fit", "sel", "held"])]
    assert (found.groupby("text_a")["split"].nunique() == 1).all()
    assert found["split"].value_counts().to_dict() == {"fit": 48, "sel": 6, "held": 6}


def test_a_group_that_is_a_large_part_of_train_is_trained_on():
    count = 600
    premises = ["the same"] * 40 + [f"p{i // 2}" for i in range(count - 40)]
    frame = pd.DataFrame({"premise": premises, "hypothesis": [f"h{i}" for i in range(count)]})
    frame = frame.assign(label=np.arange(count) % 3, idx=range(count))
    rows = {"train": frame, "validation_matched": frame, "validation_mismatched": frame}
    for seed in range(5):
        found = cut(rows, MNLI, fraction=0.5, held_rows=200, grouped=True, seed=seed)
        assert set(found.query("text_a == 'the same' and split in ['fit', 'sel', 'held']")["split"]) == {"fit"}
        assert found["split"].value_counts()[["fit", "sel", "held"]].tolist() == [100, 300, 200]


@pytest.mark.parametrize("unique", [0, 1])
def test_examples_that_all_have_duplicates_cannot_be_held_out(unique):
    rows = generated("rte")
    same = rows["train"].iloc[[0] * 59 + [1] * unique].reset_index(drop=True)
    assert "0 became sel" in message_of(lambda: cut(rows | {"train": same}, TASKS["rte"]))


@pytest.mark.parametrize(("name", "grouped"), [("sst2", True), ("sst2", False), ("mnli", True), ("rte", True)])
def test_too_few_examples_to_hold_out_are_an_error(name, grouped):
    message = message_of(lambda: cut(generated(name), TASKS[name], held_rows=60, grouped=grouped))
    assert f"of 60 training examples of {name}" in message and "of 60 wanted" in message


@pytest.mark.parametrize(("name", "grouped"), [("sst2", True), ("sst2", False), ("mnli", True), ("rte", True)])
@pytest.mark.parametrize("held_rows", [0, 30])
def test_cal_takes_examples_of_fit_and_leaves_all_other_splits_as_they_are(name, grouped, held_rows):
    rows, task = generated(name, train=400), TASKS[name]
    before = cut(rows, task, held_rows=held_rows, grouped=grouped)
    after = cut(rows, task, held_rows=held_rows, grouped=grouped, cal_max=30)
    for split in set(before["split"]) - {"fit"}:
        same = [frame[frame["split"] == split].reset_index(drop=True) for frame in (before, after)]
        pd.testing.assert_frame_equal(*same)
    numbers = {split: set(frame["idx"]) for split, frame in after[after["split"] != "dev"].groupby("split")}
    assert len(numbers["cal"]) >= 30 and numbers["fit"] | numbers["cal"] <= set(before.query("split == 'fit'")["idx"])
    parts = {split: texts(frame) for split, frame in after.groupby("split")}
    assert not any(parts["cal"] & others for split, others in parts.items() if split != "cal")


@pytest.mark.parametrize("seed", range(5))
def test_whole_sentences_of_cal_share_no_phrase_with_fit_and_sel(seed):
    frame = pd.DataFrame({"sentence": PHRASES, "label": [0, 1] * 5, "idx": range(10)})
    found = cut({"train": frame, "validation": frame}, SST2, fraction=0.4, seed=seed, grouped=True, cal_max=1)
    fit, sel, cal = (found.query(f"split == '{split}'")["text_a"].tolist() for split in ("fit", "sel", "cal"))
    assert len(cal) == 1 and cal[0] in {PHRASES[0], PHRASES[4], PHRASES[8]}
    for others in (fit, sel):
        assert not any(f" {text} " in spaced(others) for text in cal)
        assert not any(f" {text} " in spaced(cal) for text in others)


def test_cal_of_premises_has_whole_groups_and_a_share_of_train():
    frame = pd.DataFrame({"premise": [f"p{i // 3}" for i in range(90)], "hypothesis": [f"h{i}" for i in range(90)]})
    frame = frame.assign(label=[0, 1, 2] * 30, idx=range(90))
    rows = {"train": frame, "validation_matched": frame, "validation_mismatched": frame}
    found = cut(rows, MNLI, grouped=True, cal_max=500)
    found = found[found["split"].isin(["fit", "sel", "cal"])]
    assert (found.groupby("text_a")["split"].nunique() == 1).all()
    assert found["split"].value_counts().to_dict() == {"fit": 72, "sel": 9, "cal": 9}


def test_generated_examples_of_cal_come_besides_the_others():
    sizes = {"train": 100} | dict.fromkeys(MNLI.eval_splits.values(), 20)
    plain, with_cal = (generation.generate("mnli", 3, sizes | more) for more in ({}, {"calibration": 40}))
    found = cut(with_cal, MNLI)
    cal = found.query("split == 'cal'")
    pd.testing.assert_frame_equal(found[found["split"] != "cal"].reset_index(drop=True), cut(plain, MNLI))
    assert len(cal) == 40 and not texts(cal) & texts(cut(plain, MNLI))


def test_the_field_protocol_has_no_cal():
    assert "cal" not in set(cut(generated("rte", train=400), TASKS["rte"], "field", cal_max=30)["split"])


@EACH
def test_the_cut_of_generated_examples_is_the_one_that_stored_results_were_made_with(name):
    sizes = {"train": 1600} | dict.fromkeys(TASKS[name].eval_splits.values(), 500)
    sel = cut(generation.generate(name, 2025, sizes), TASKS[name]).query("split == 'sel'")["idx"]
    assert len(sel) == 160 and sel.iloc[:6].tolist() == [9, 15, 37, 48, 61, 66]
    sums = {"rte": 136284, "mrpc": 137499, "qqp": 135856, "sst2": 135641, "qnli": 136921, "mnli": 135920}
    assert sel.sum() == sums[name]


@pytest.mark.skipif("COSEE_GLUE_DIR" not in os.environ, reason="COSEE_GLUE_DIR names no local copy of GLUE")
@EACH
def test_a_real_copy_of_glue_can_be_read(name):
    task = TASKS[name]
    rows = local_rows(task, os.environ["COSEE_GLUE_DIR"])
    check_rows(rows, task, "COSEE_GLUE_DIR")
    frame = cut(rows, task, train_rows=1000, held_rows=200, grouped=True, cal_max=300)
    assert set(frame["label"]) <= {-1, *range(task.num_classes)}
    fit, sel, held, cal = (frame.query(f"split == '{split}'") for split in ("fit", "sel", "held", "cal"))
    assert not any(texts(one) & texts(other) for one, other in combinations((fit, sel, held, cal), 2))
    assert len(cal) >= min(300, round(0.1 * len(rows["train"])) // 2)
    assert len(fit) == 1000 and len(sel) >= 0.09 * min(2000, len(rows["train"]) / 10) and len(held) >= 200
    assert all(len(rows[split]) <= task.official_rows[split] for split in rows)


def spaced(texts):
    return "\n".join(f" {' '.join(text.split())} " for text in texts)


@pytest.mark.skipif("COSEE_GLUE_DIR" not in os.environ, reason="COSEE_GLUE_DIR names no local copy of GLUE")
def test_nothing_that_is_held_out_is_part_of_a_training_example_of_sst2():
    rows = local_rows(SST2, os.environ["COSEE_GLUE_DIR"])
    frame = cut(rows, SST2, held_rows=2000, grouped=True, cal_max=300)
    frame = frame.assign(words=lambda f: f["text_a"].str.split().str.len())
    fit, sel, held, cal = (frame.query(f"split == '{split}'") for split in ("fit", "sel", "held", "cal"))
    for out, others in ((sel, fit), (sel, held), (held, fit), (cal, fit), (cal, sel), (cal, held)):
        whole, parts = spaced(others["text_a"]), spaced(out["text_a"])
        assert not any(f" {' '.join(text.split())} " in whole for text in out["text_a"])
        assert not any(f" {' '.join(text.split())} " in parts for text in others["text_a"])
    dev = frame.query("split == 'dev'")
    assert abs(sel["words"].mean() - dev["words"].mean()) < 1  # as long as the sentences that are reported on
    assert len(fit) > 0.75 * len(rows["train"])


@pytest.mark.skipif("COSEE_GLUE_DIR" not in os.environ, reason="COSEE_GLUE_DIR names no local copy of GLUE")
@pytest.mark.parametrize("name", ["qnli", "mnli"])
def test_held_out_examples_share_no_text_with_training_examples(name):
    task = TASKS[name]
    frame = cut(local_rows(task, os.environ["COSEE_GLUE_DIR"]), task, held_rows=300, grouped=True, cal_max=300)
    for column in task.shared_columns:
        text = ("text_a", "text_b")[task.columns.index(column)]
        parts = [set(frame.query(f"split == '{split}'")[text]) for split in ("fit", "sel", "held", "cal")]
        assert not any(one & other for one, other in combinations(parts, 2))
