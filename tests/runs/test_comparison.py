"""Runs beside published ones: both are read alike, and only runs on the same examples are compared."""

import numpy as np
import pandas as pd
import pytest
from helpers.results import LAYERS, random_outputs

from cosee.errors import InputError
from cosee.evaluation.matched import matched_point
from cosee.evaluation.outputs import ExitOutputs, save_outputs
from cosee.exiting.rules import RULES
from cosee.io import write_frame, write_json
from cosee.runs.comparison import check_same_examples, entrants_of_collection, entrants_of_runs, points_at
from cosee.runs.published import publish

SPLITS = ("sel", "dev")


def write_run(folder, variant="cosee", seed=0, *, accuracy=0.8, rule="energy", name=None, task="sst2", **options):
    """The folder of a finished run with random outputs; options: examples, shift of their numbers, depth, backbone."""
    examples, shift = options.get("examples", 60), options.get("shift", 0)
    for place, split in enumerate(SPLITS):
        labels = np.random.default_rng(place).integers(0, 2, examples)
        rng = np.random.default_rng([seed, len(variant), place])
        outputs = random_outputs(rng, labels, accuracy, np.linspace(0.5, 2, LAYERS))
        fields = vars(outputs) | {"idx": outputs.idx + shift, "num_layers": options.get("num_layers", LAYERS)}
        save_outputs(folder / f"logits-{split}.npz", ExitOutputs(**fields))
    write_frame(folder / "history.csv", pd.DataFrame({"step": [1], "epoch": [1], "mean_ce": [0.5]}))
    run = {"backbone": options.get("backbone", "bert"), "task": task, "variant": variant, "rule": rule, "seed": seed}
    write_json(folder / "run.json", {"run": run | {"name": name or variant}, "method": {}, "selection_split": "sel"})
    return folder


@pytest.fixture
def collection(tmp_path):
    """Two published variants of three seeds."""
    for variant, accuracy in {"vanilla": 0.7, "cosee": 0.8}.items():
        for seed in range(3):
            run = write_run(tmp_path / f"runs/{variant}{seed}", variant, seed, accuracy=accuracy)
            publish(run, tmp_path / "published")
    return tmp_path / "published"


def test_seeds_become_one_entrant_with_the_points_of_its_stored_outputs(tmp_path):
    folders = [write_run(tmp_path / f"run{seed}", seed=seed) for seed in range(3)]
    (entrant,) = entrants_of_runs(folders, "mine")
    assert entrant.name == "mine" and entrant.tasks == ["sst2"] and len(entrant.models) == 3
    points = points_at([entrant], 2.0)["sst2", "mine"]
    for seed, point in points.items():
        (outputs,) = entrant.models["sst2", seed]
        expected = matched_point([(outputs["dev"], RULES["energy"])], 2.0)
        np.testing.assert_array_equal(point.right, expected.right)


def test_published_runs_are_entrants_with_the_same_points_as_their_folders(collection, tmp_path):
    entrants = entrants_of_collection(collection)
    assert [each.name for each in entrants] == ["cosee (energy)", "vanilla (energy)"]
    (mine,) = entrants_of_runs([tmp_path / f"runs/cosee{seed}" for seed in range(3)])
    check_same_examples([mine], entrants)
    points = points_at(entrants, 3.0)["sst2", "cosee (energy)"]
    for seed, point in points_at([mine], 3.0)["sst2", "cosee (energy)"].items():
        assert point.right.mean() == pytest.approx(points[seed].right.mean(), abs=0.02)  # float16 moves a threshold


def test_a_run_for_several_exit_rules_is_an_entrant_with_each(tmp_path):
    run = write_run(tmp_path / "run")
    other = write_run(tmp_path / "other", seed=7)
    for split in SPLITS:
        (other / f"logits-{split}.npz").rename(run / f"logits-{split}@pcee.npz")
    publish(run, tmp_path / "published")
    energy, pcee = entrants_of_collection(tmp_path / "published")
    assert (energy.rule, pcee.rule) == ("energy", "pcee")
    outputs = [each.models["sst2", 0][0]["dev"].logits for each in (energy, pcee)]
    assert not np.array_equal(*outputs)
    assert points_at([pcee], 2.0)["sst2", "cosee (pcee)"][0] is not None


def test_models_per_operating_point_are_one_curve(tmp_path):
    folders = [write_run(tmp_path / f"{name}", name=name) for name in ("low", "high")]
    (entrant,) = entrants_of_runs(folders)
    assert len(entrant.models["sst2", 0]) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"examples": 50}, "are not those of the published runs (50 and 60 examples)"),
        ({"shift": 1}, "are not those of the published runs (60 and 60 examples)"),
        ({"task": "rte"}, "rte is not published; expected one of sst2."),
        ({"num_layers": 24}, "its encoder has 24 layers, that of the published runs 12"),
    ],
)
def test_runs_on_other_examples_or_encoders_are_refused(changes, message, collection, tmp_path):
    ours = entrants_of_runs([write_run(tmp_path / "mine", "mine", **changes)])
    with pytest.raises(InputError) as error:
        check_same_examples(ours, entrants_of_collection(collection))
    assert message in str(error.value)


def test_a_run_without_outputs_on_a_published_split_is_refused(collection, tmp_path):
    run = write_run(tmp_path / "mine", "mine")
    (run / "logits-sel.npz").unlink()
    with pytest.raises(InputError, match=r"mine .energy. on sst2 .seed 0.: no outputs on sel, which the published"):
        check_same_examples(entrants_of_runs([run]), entrants_of_collection(collection))


def test_the_same_run_twice_and_one_name_for_two_variants_are_refused(tmp_path):
    run, copy, other = (write_run(tmp_path / name, variant) for name, variant in (("a", "x"), ("b", "x"), ("c", "y")))
    with pytest.raises(InputError, match=r"the same run .sst2, x, seed 0.; give each once"):
        entrants_of_runs([run, copy])
    with pytest.raises(InputError, match=r"--name mine: the runs are of 2 variants"):
        entrants_of_runs([run, other], "mine")


def test_one_of_several_encoders_has_to_be_named(collection, tmp_path):
    publish(write_run(tmp_path / "albert", backbone="albert"), collection)
    with pytest.raises(InputError, match=r"several encoders .albert, bert.; choose one with --backbone"):
        entrants_of_collection(collection)
    with pytest.raises(InputError, match=r"--backbone gpt: not in .*; expected one of albert, bert"):
        entrants_of_collection(collection, "gpt")
    assert [each.name for each in entrants_of_collection(collection, "albert")] == ["cosee (energy)"]
