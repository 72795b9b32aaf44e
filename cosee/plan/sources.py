"""Where rows and encoders come from by the configuration, and what captions call them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

POOLER_WORDS = {
    "pretrained": "pretrained pooler",
    "fresh": "a fresh pooler per run",
    "norm": "standardized states instead of a pooler",
    "none": "no pooler",
    "untrained": "its own pooler, which was never trained",
}
"""What captions say of a backbone entry's `pooler`."""


def data_source(config: Mapping[str, Any]) -> dict[str, Any]:
    """Where the rows come from: `folder`, `repository` and `revision`, or the seed and sizes of generated ones."""
    if config["data_dir"]:
        return {"folder": config["data_dir"]}
    if config["data"]["source"] == "hub":
        return {key: config["data"][key] for key in ("repository", "revision")}
    return dict(config["data"]["generated"])


def data_label(config: Mapping[str, Any]) -> str:
    """The data in the words of captions; rows of a local folder are never called generated."""
    if config["data_dir"] and config["data"]["source"] == "generated":
        return f"local copy {Path(config['data_dir']).name}"
    return config["data"]["label"]


def backbone_source(config: Mapping[str, Any], backbone: str) -> dict[str, Any]:
    """Where an encoder comes from, how many layers it must have, and in what it is to be changed."""
    entry = config["backbones"][backbone]
    same = {key: entry[key] for key in ("layers", "dropout", "exit_state", "pooler") if key in entry}
    if config["backbone_dir"]:
        return {"folder": config["backbone_dir"], **same}
    if entry["source"] == "hub":
        return {"repository": entry["repository"], "revision": entry["revision"], **same}
    return {"pretraining": entry["pretraining"], "layers": entry["layers"]}


def backbone_label(config: Mapping[str, Any], backbone: str) -> str:
    """A backbone in the words of captions: its name, depth and what must be said of it."""
    entry = config["backbones"][backbone]
    note = f"; {entry['note']}" if "note" in entry else ""
    label = entry["label"]
    if config["backbone_dir"] and Path(config["backbone_dir"]).name not in (label, backbone):
        label, note = f"local encoder {Path(config['backbone_dir']).name}", ""
    said = [f"{entry['layers']} layers"]
    said += [f"dropout {entry['dropout']:g}"] if "dropout" in entry else []
    said += ["exits read the mean over tokens"] if entry.get("exit_state") == "mean" else []
    said += [POOLER_WORDS[entry["pooler"]]] if "pooler" in entry else []
    return f"{label} ({', '.join(said)}{note})"
