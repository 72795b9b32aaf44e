"""Sources of the data and encoders of a configuration, and their names in captions."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cosee.plan.configuration import Configuration

POOLER_WORDS = {
    "pretrained": "pretrained pooler",
    "fresh": "a fresh pooler per run",
    "norm": "normalized states instead of a pooler",
    "none": "no pooler",
    "untrained": "its own pooler, which was never trained",
}
"""What captions say of a backbone entry's `pooler`."""

STATE_WORDS = {"mean": "exits read the mean over tokens", "last": "exits read the last token"}
"""What captions say of a backbone entry's `exit_state`, unless it is [CLS]."""


def data_source(config: "Configuration") -> dict[str, Any]:
    """Source of the data: `folder`, `repository` and `revision`, or the seed and sizes of generated texts."""
    if config.data_dir:
        return {"folder": config.data_dir}
    if config.data.source == "hub":
        return {"repository": config.data.repository, "revision": config.data.revision}
    return config.data.generated.model_dump()


def has_split(config: "Configuration", task: str, split: str) -> bool:
    """Whether the source has a test split of a task: the hub has all, generated data none.

    A local copy may lack some, so its folder is looked into: the one place where the plan depends on files. Published
    runs hold splits with labels alone.
    """
    if config.predictions:
        return False
    if config.data_dir:
        return any((Path(config.data_dir) / task).glob(f"{split}-*.parquet"))
    return config.data.source == "hub"


def data_label(config: "Configuration") -> str:
    """The data in the words of captions; a local folder is never called generated."""
    if config.data_dir and config.data.source == "generated":
        return f"local copy {Path(config.data_dir).name}"
    return config.data.label


def backbone_source(config: "Configuration", backbone: str) -> dict[str, Any]:
    """Source of an encoder, the number of layers that it must have, and what is changed in it."""
    entry = config.backbones[backbone]
    changes = {
        key: getattr(entry, key) for key in ("dropout", "exit_state", "pooler") if getattr(entry, key) is not None
    }
    if config.backbone_dir:
        return {"folder": config.backbone_dir, "layers": entry.layers, **changes}
    if entry.source == "hub":
        return {"repository": entry.repository, "revision": entry.revision, "layers": entry.layers, **changes}
    if entry.source == "shipped":
        return {"shipped": entry.encoder, "layers": entry.layers}
    return {"pretraining": entry.pretraining.model_dump(), "layers": entry.layers}


def backbone_label(config: "Configuration", backbone: str) -> str:
    """A backbone in the words of captions: its name, depth and what must be said of it."""
    entry = config.backbones[backbone]
    note = f"; {entry.note}" if entry.note else ""
    label = entry.label
    if config.backbone_dir and Path(config.backbone_dir).name not in (label, backbone):
        label, note = f"local encoder {Path(config.backbone_dir).name}", ""
    facts = [f"{entry.layers} layers"]
    facts += [f"dropout {entry.dropout:g}"] if entry.dropout is not None else []
    facts += [STATE_WORDS[entry.exit_state]] if entry.exit_state in STATE_WORDS else []
    facts += [POOLER_WORDS[entry.pooler]] if entry.pooler else []
    return f"{label} ({', '.join(facts)}{note})"
