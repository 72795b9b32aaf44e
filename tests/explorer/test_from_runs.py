"""A page from run folders: the numbers of the workflow, one's own runs beside published ones, refusals."""

import numpy as np
import pandas as pd
import pytest
from helpers import explored, presets

from cosee.errors import InputError
from cosee.explorer.document import document
from cosee.explorer.from_runs import runs_source, texts_of
from cosee.explorer.measured import RISKS
from cosee.explorer.pack import Pack, unpack_text
from cosee.plan.runs import final_runs
from cosee.runs.published import publish


def folders(folder, *variants, task="sst2"):
    plan = final_runs(explored.config())
    return [folder / run.folder for run in plan if run.variant in variants and run.task == task]


KEYS = ("task", "split", "series", "seed", "loss", "procedure", "level", "target_speedup")


def rows_of(table):
    return pd.DataFrame(
        {
            name: np.array(column["values"])[column["places"]] if isinstance(column, dict) else column
            for name, column in table["columns"].items()
        }
    )


def test_the_risks_are_those_of_the_workflow_s_defaults():
    asked = presets.preset("config").risk
    assert RISKS["levels"] == asked.levels and RISKS["confidence"] == asked.confidence
    assert RISKS["kinds"] == asked.losses and RISKS["procedures"] == asked.procedures


def test_runs_without_exits_are_refused(folder):
    with pytest.raises(InputError, match="has no exits"):
        runs_source(folders(folder, "backbone"))


def read(source):
    pack = Pack()
    return unpack_text(pack.text(document(source, pack)))


def test_curves_and_differences_are_those_of_the_workflow(folder, document):
    own = [path for path in folders(folder, "cosee", "vanilla", "pabee", "consistentee") if "entropy" not in str(path)]
    mine = read(runs_source(own, data_dir=folder / "resources/rows", targets=[1.5, 2.0, 3.0]))
    names = {"cosee (energy)|energy": "cosee|energy", "pabee (patience)|patience": "pabee|patience"}
    names |= {"vanilla (energy)|energy": "vanilla|energy", "consistentee (policy)|policy": "consistentee|policy"}
    assert {series["id"] for series in mine["series"]} == set(names)
    for curve in mine["curves"]:
        wanted = {"task": "sst2", "split": "dev", "series": names[curve["series"]], "seed": curve["seed"]}
        (theirs,) = [each for each in document["curves"] if wanted.items() <= each.items()]
        np.testing.assert_array_equal(curve["score"], theirs["score"])
        np.testing.assert_array_equal(curve["states"][0]["steps"], theirs["states"][0]["steps"])
    row = ["vanilla (energy)|energy", "cosee (energy)|energy"]
    (ours,) = [r for r in mine["differences"] if r[1:3] == [2.0, "sst2"] and r[3:5] == row]
    (theirs,) = [
        r for r in document["differences"] if r[1:3] == [2.0, "sst2"] and r[3:5] == [names[each] for each in row]
    ]
    assert ours[5:8] == theirs[5:8]
    for kind, measure in (("risk", "risk"), ("calibration", "ece")):
        ours, theirs = (rows_of(each[kind]) for each in (mine, document))
        ours["series"] = ours["series"].map(names)
        keys = [name for name in KEYS if name in ours]
        both = ours.merge(theirs[theirs["task"] == "sst2"], on=keys, suffixes=("", "_theirs"))
        assert len(both) == len(ours) > 20
        np.testing.assert_array_equal(both[measure], both[f"{measure}_theirs"])
    assert mine["splits"][0]["texts"][: len(explored.HOSTILE)] == explored.HOSTILE


def test_one_s_own_runs_come_first_and_are_told_from_published_ones(folder, tmp_path):
    for run in folders(folder, "cosee", "vanilla", "pcee", "pabee"):
        if "entropy" not in str(run):
            publish(run, tmp_path / "published")
    own = [run for run in folders(folder, "cosee") if "entropy" not in str(run)]
    found = read(runs_source(own, published=tmp_path / "published"))
    labels = [series["label"] for series in found["series"]]
    assert labels[0] == "cosee (energy), yours" and "cosee (energy)" in labels and "pabee (pcee)" in labels
    assert found["splits"][0]["texts"] is None and "--data-dir" in found["noText"]
    assert {run["variant"] for run in found["training"]} >= {"cosee (energy)", "pabee (patience)"}


def test_texts_come_from_a_copy_of_glue_by_the_number_of_the_example(tmp_path):
    from cosee.io import write_frame

    rows = pd.DataFrame({"sentence": ["a", "b"], "label": [0, 1], "idx": [7, 3]})
    for split in ("train", "validation"):
        write_frame(tmp_path / f"sst2/{split}-00000-of-00001.parquet", rows)
    found = texts_of("sst2", tmp_path)
    assert found[["split", "idx", "text_a"]].to_numpy().tolist() == [["dev", 7, "a"], ["dev", 3, "b"]]


def test_what_is_no_run_and_what_was_evaluated_on_other_examples_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match=r"run\.json"):
        runs_source([tmp_path])
    for run in folders(folder, "cosee"):
        if "entropy" not in str(run):
            publish(run, tmp_path / "published")
    with pytest.raises(InputError, match="not published"):
        runs_source(folders(folder, "vanilla", task="mrpc"), published=tmp_path / "published")
