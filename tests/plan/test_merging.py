"""Files are merged as Snakemake merges them, over defaults whose order holds."""

import copy

import pytest
from helpers.presets import CONFIGS, read
from snakemake.utils import update_config

from cosee.errors import InputError
from cosee.io import read_yaml
from cosee.plan.merging import merge, read_preset, with_defaults


def test_mappings_are_merged_by_key_and_all_else_is_replaced():
    first, second = {"a": {"x": 1, "y": [1, 2]}, "b": 1}, {"a": {"y": [3]}, "b": {"z": None}, "c": None}
    merged = merge(first, second)
    assert merged == {"a": {"x": 1, "y": [3]}, "b": {"z": None}, "c": None}
    assert first == {"a": {"x": 1, "y": [1, 2]}, "b": 1}
    snakemakes = copy.deepcopy(first)
    update_config(snakemakes, second)
    assert merged == snakemakes


@pytest.mark.parametrize("files", [("glue-small",), ("glue-small", "glue-small-cpu"), ("bert-base",)])
def test_files_are_merged_as_snakemake_does(files):
    paths, merged = [CONFIGS / f"{file}.yaml" for file in files], read_yaml(CONFIGS / "defaults.yaml")
    for path in paths:
        update_config(merged, read_yaml(path))
    assert read_preset(CONFIGS / "defaults.yaml", paths) == merged == read(*files)


def test_the_order_of_variants_is_that_of_the_defaults():
    defaults = read_yaml(CONFIGS / "defaults.yaml")
    variants = {"cosee": {"seeds": [1]}, "mine": {"label": "Mine"}, "half": {"seeds": [1]}}
    merged = with_defaults(defaults, read_yaml(CONFIGS / "bert-base.yaml") | {"variants": variants})
    assert list(merged["variants"]) == [*defaults["variants"], "mine"]


def test_nothing_and_changes_alone_are_of_the_mini_preset(tmp_path):
    assert read_preset(CONFIGS / "defaults.yaml", []) == read("config")
    (tmp_path / "change.yaml").write_text("seeds: [7]")
    merged = read_preset(CONFIGS / "defaults.yaml", [tmp_path / "change.yaml"])
    assert merged == read("config") | {"seeds": [7]}


@pytest.mark.parametrize("part", ["glue-small-cpu", "recipes/xin2020_deebert"])
def test_a_part_of_a_preset_is_not_taken_for_a_whole_one(part):
    with pytest.raises(InputError, match="only a part is given; presets are chosen by file"):
        read_preset(CONFIGS / "defaults.yaml", [CONFIGS / f"{part}.yaml"])
