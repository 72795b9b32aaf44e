"""The presets, read as Snakemake reads them."""

import copy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CONFIGS = Path(__file__).parents[2] / "config"


def read(name: str) -> dict[str, Any]:
    """The preset in `config/<name>.yaml`, with what the schema fills in."""
    return {"data_dir": None, "backbone_dir": None} | copy.deepcopy(_file(name))


def with_own_search(config: dict[str, Any]) -> dict[str, Any]:
    """The mini preset with one grid search, of COSEE's, by signal, whose point the variant without OSC shares."""
    config["grid"], variants = {"beta0": [0.2, 1.0]}, config["variants"]
    del variants["backbone"]["tune"], variants["vanilla"]["tune"]
    variants["cosee"] |= {"fixed": {"alpha": 0.1}, "tune": ["beta0"]}
    variants["wo_osc"] |= {"fixed": {"alpha": 0.0}, "tuned_as": "cosee"}
    del variants["cosee"]["tuned_as"]
    return config


@cache
def _file(name: str) -> dict[str, Any]:
    return yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
