"""Merging of configuration files: the defaults, a preset, and what changes it."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from cosee.errors import InputError
from cosee.io import read_yaml


def merge(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """Parts of a configuration, each over those before it: mappings key by key, all else whole."""
    merged: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            before = merged.get(key)
            is_merged = isinstance(value, Mapping) and isinstance(before, Mapping)
            merged[key] = merge(before, value) if is_merged else deepcopy(value)
    return merged


def read_preset(defaults: Path, files: Iterable[Path]) -> dict[str, Any]:
    """The merged configuration of a preset, as the workflow has it with `--configfile` and these files.

    Args:
        defaults: `config/defaults.yaml`.
        files: files of the preset, each over those before it; the mini preset, beside the defaults, comes before them
            unless one of them has the key `preset`.

    Raises:
        InputError: a file cannot be read, or the files are only a part of a preset.
    """
    merged = merge(*map(read_yaml, files))
    if "preset" not in merged:
        merged = merge(read_yaml(defaults.with_name("config.yaml")), merged)
    return with_defaults(read_yaml(defaults), merged)


def with_defaults(defaults: Mapping[str, Any], preset: Mapping[str, Any]) -> dict[str, Any]:
    """A preset over the defaults, whose order is that of tables and figures.

    Raises:
        InputError: it is only a part of a preset: no encoder is described, as in a file that only changes another one.
    """
    merged = merge(defaults, preset)
    backbones = merged.get("backbones")
    entries = backbones.values() if isinstance(backbones, Mapping) else []
    if not any(isinstance(entry, Mapping) and "layers" in entry for entry in entries):
        raise InputError(
            f"config: of preset {merged.get('preset')!r} only a part is given; presets are chosen by file, as in "
            "--configfile config/glue-small.yaml, and a file that changes a preset comes after it."
        )
    return merged
