"""Weights are kept where something reads them, and the size of all results is said before a start."""

from pathlib import Path

import pytest

from cosee.errors import InputError
from cosee.plan.checks import check
from cosee.plan.configuration import configuration
from cosee.plan.cost import announcement
from cosee.plan.disk import CURVE_BYTES, STEP_BYTES, Disk, disk_sentence, disk_space, runs_with_weights, size
from cosee.plan.runs import final_runs, timed_run
from cosee.plan.search import grid_runs


def test_by_default_only_the_timed_run_keeps_its_weights(mini):
    config = configuration(mini)
    assert runs_with_weights(config) == {timed_run(config).key}
    mini["latency"] = None
    assert runs_with_weights(configuration(mini)) == set()


def test_listed_variants_keep_theirs(mini):
    mini["latency"], mini["keep_weights"] = None, ["cosee", "pabee"]
    config = configuration(mini)
    assert runs_with_weights(config) == {run.key for run in final_runs(config) if run.variant in ("cosee", "pabee")}
    mini["keep_weights"] = ["all"]
    config = configuration(mini)
    check(config)
    assert runs_with_weights(config) == {run.key for run in final_runs(config)}


def test_unknown_variants_are_refused(mini):
    mini["keep_weights"] = ["nothing"]
    with pytest.raises(InputError, match="keep_weights names 'nothing', which is not defined"):
        check(configuration(mini))
    mini["keep_weights"], mini["variants"]["all"] = [], mini["variants"]["cosee"]
    with pytest.raises(InputError, match=r"variants\.all: the name means all variants"):
        check(configuration(mini))


def test_space_follows_from_examples_exits_rules_and_encoders(mini, tmp_path):
    mini["experiments"] = [{"tasks": ["sst2"], "variants": ["half", "vanilla"]}]
    mini["seeds"], mini["keep_weights"], mini["latency"], mini["figures"]["fig7"] = [0], ["half"], None, None
    mini["variants"]["half"]["tuned_as"] = "vanilla"
    config = configuration(mini)
    half, vanilla = final_runs(config)
    rows, sel = config.data.generated, round(config.protocol.sel_fraction * config.data.generated.train)
    steps = (rows.train - sel) * config.training.epochs / vanilla.training["batch_size"]
    examples = rows.validation + sel + config.protocol.cal_max
    space = disk_space(config, [half], tmp_path)
    assert space == Disk(round(4 * examples * 1 * 2 + CURVE_BYTES + STEP_BYTES * steps), None, 1)
    exits = config.backbones["bert"].layers
    assert disk_space(config, [vanilla], tmp_path) == Disk(
        round(len(vanilla.rules) * (4 * examples * exits * 2 + CURVE_BYTES) + STEP_BYTES * steps),
        0,
        0,
    )
    (grid, *_) = grid_runs(config)
    assert disk_space(config, [grid], tmp_path).results == round(4 * sel * exits * 2 + STEP_BYTES * steps)
    encoder = tmp_path / "resources/backbones/bert/model.safetensors"
    encoder.parent.mkdir(parents=True)
    encoder.write_bytes(bytes(1000))
    assert disk_space(config, [half], tmp_path).weights == 1000 / 2


def test_a_start_announces_the_space(config):
    space = disk_sentence(disk_space(config, final_runs(config), Path("/here")))
    text = announcement(config, 20, 2, 60.0, Path("/here"), 2, space)
    assert "disk: about " in text and "and the weights of 1 run (of the size of their encoders; `keep_weights`)" in text


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (Disk(3_000_000, 0, 0), "disk: about 3 MB; no weights are kept (`keep_weights`)"),
        (Disk(3_200_000_000, 440_000_000, 2), "disk: about 3.2 GB, and the weights of 2 runs (about 440 MB; `keep_"),
    ],
)
def test_space_in_words(space, words):
    assert disk_sentence(space).startswith(words)


def test_sizes_are_no_more_exact_than_they_are_known():
    assert [size(count) for count in (1, 2.4e6, 9.99e8, 1.26e9)] == ["1 MB", "2 MB", "999 MB", "1.3 GB"]
