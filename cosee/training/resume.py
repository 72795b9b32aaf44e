"""The state from which a killed run resumes, as safetensors: tensors, the history as the bytes of its JSON, a header.

The history is not part of the header, because the format limits its size and long histories exceed the limit.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from cosee.training.checkpoints import Checkpoints
from cosee.training.objective import Objective
from cosee.whole import whole_file

log = logging.getLogger(__name__)


def save_state(
    path: Path,
    fingerprint: str,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    objective: Objective,
    position: dict[str, Any],
    rows: list[dict[str, Any]],
    checkpoints: Checkpoints,
) -> None:
    """Write weights, optimizer moments, the objective's state, the random state, the checkpoints and the history."""
    moments = optimizer.state_dict()["state"]
    tensors = {
        **{f"model/{name}": value for name, value in model.state_dict().items()},
        **{f"best/{e}/{name}": value for e, best in checkpoints.weights.items() for name, value in best.items()},
        **{f"optimizer/{index}/{name}": value for index, entry in moments.items() for name, value in entry.items()},
        **{f"objective/{name}": value for name, value in objective.state().items()},
        "random/cpu": torch.get_rng_state(),
        "history/rows": torch.frombuffer(bytearray(json.dumps(rows).encode()), dtype=torch.uint8),
    }
    if next(model.parameters()).is_cuda:
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    compared = {"score": checkpoints.score, "epoch": checkpoints.epoch}
    header = {"fingerprint": fingerprint, "position": json.dumps(position), "checkpoints": json.dumps(compared)}
    with whole_file(path) as temporary:
        on_host = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        save_file(on_host, temporary, header)


@dataclass(frozen=True)
class State:
    """The state of a run, as saved by `save_state`.

    Attributes:
        position: position of the run (`cosee.training.history.Position`).
        rows: its history.
        checkpoints: the best checkpoint of each exit rule.
        tensors: everything else, by group and name.
    """

    position: dict[str, Any]
    rows: list[dict[str, Any]]
    checkpoints: Checkpoints
    tensors: dict[str, dict[str, Tensor]]

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer, objective: Objective) -> None:
        """Restore weights, moments, the objective's state and the random state."""
        model.load_state_dict(self.tensors["model"])
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in self.tensors.get("optimizer", {}).items():
            index, _, name = key.partition("/")
            moments.setdefault(int(index), {})[name] = value
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
        objective.restore(self.tensors.get("objective", {}))
        torch.set_rng_state(self.tensors["random"]["cpu"])
        if "cuda" in self.tensors["random"]:
            torch.cuda.set_rng_state(self.tensors["random"]["cuda"])


def read_state(path: Path, fingerprint: str) -> State | None:
    """Read a saved state; None if there is none, it is damaged, or it belongs to another run."""
    if not path.exists():
        return None
    groups: dict[str, dict[str, Tensor]] = {}
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("fingerprint") != fingerprint:
                return None
            for key in file.keys():  # noqa: SIM118 (not a mapping)
                group, _, name = key.partition("/")
                groups.setdefault(group, {})[name] = file.get_tensor(key)
    except SafetensorError as error:
        log.warning("%s is damaged (%s); the run starts from the beginning.", path, error)
        return None
    rows = json.loads(groups.pop("history")["rows"].numpy().tobytes())
    weights: dict[int, dict[str, Tensor]] = {}
    for key, value in groups.pop("best", {}).items():
        epoch, _, name = key.partition("/")
        weights.setdefault(int(epoch), {})[name] = value
    checkpoints = Checkpoints(**json.loads(header["checkpoints"]), weights=weights)
    return State(json.loads(header["position"]), rows, checkpoints, groups)
