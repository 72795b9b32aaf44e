"""The presets, merged as Snakemake merges them."""

from functools import cache
from pathlib import Path
from typing import Any

from cosee.io import read_yaml
from cosee.plan.configuration import Configuration, configuration
from cosee.plan.merging import merge

CONFIGS = Path(__file__).parents[2] / "config"


def read(*names: str) -> dict[str, Any]:
    """The defaults with the files `config/<name>.yaml` over them, to be changed by a test."""
    return merge(*map(_file, ("defaults", *names)))


def preset(*names: str) -> Configuration:
    """The configuration of these files."""
    return configuration(read(*names))


def with_own_search(config: dict[str, Any]) -> dict[str, Any]:
    """The mini preset with one grid search, of COSEE's, by signal, whose point the variant without OSC shares."""
    config["grid"], config["tuned_as"], variants = {"beta0": [0.2, 1.0]}, None, config["variants"]
    del variants["backbone"]["tune"], variants["vanilla"]["tune"]
    for name, variant in variants.items():
        if name not in ("backbone", "vanilla", "cosee", "wo_osc"):
            variant["tuned_as"] = "vanilla"
    variants["cosee"] |= {"fixed": {"alpha": 0.1}, "tune": ["beta0"]}
    variants["wo_osc"] |= {"fixed": {"alpha": 0.0}, "tuned_as": "cosee"}
    return config


@cache
def _file(name: str) -> dict[str, Any]:
    return read_yaml(CONFIGS / f"{name}.yaml")
