"""The presets, read as Snakemake reads them."""

from pathlib import Path
from typing import Any

import yaml

CONFIGS = Path(__file__).parents[1] / "config"


def read(name: str) -> dict[str, Any]:
    """The preset in `config/<name>.yaml`, with what the schema fills in."""
    return {"data_dir": None, "backbone_dir": None} | yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
