"""The presets, read as Snakemake reads them."""

import copy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CONFIGS = Path(__file__).parents[1] / "config"


def read(name: str) -> dict[str, Any]:
    """The preset in `config/<name>.yaml`, with what the schema fills in."""
    return {"data_dir": None, "backbone_dir": None} | copy.deepcopy(_file(name))


@cache
def _file(name: str) -> dict[str, Any]:
    return yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
