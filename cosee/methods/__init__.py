"""Training methods, one file each. A method says what its exits are and what is minimised; the loop knows none by name.

A method is a frozen dataclass of hyper-parameters with two functions, see `Method`. A new one is a file here and a line
in `_CLASSES`.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from cosee.errors import InputError

if TYPE_CHECKING:  # the names and settings of methods are also needed where torch is not
    import torch
    from torch import Tensor

    from cosee.batches import Batch
    from cosee.model import MultiExitModel


class Objective(Protocol):
    """What is minimised in one training run; it may carry state from step to step."""

    def __call__(self, model: "MultiExitModel", batch: "Batch", step: int) -> "tuple[Tensor, dict[str, Tensor]]":
        """Loss (scalar) of a batch, and scalars for the history; nothing waits for the device.

        `step` counts the batches of the run from 0; without accumulation, that is the optimizer steps.
        """
        ...

    def end_epoch(self) -> None:
        """Called after the last step of every epoch."""
        ...

    def state(self) -> "dict[str, Tensor]":
        """State to be saved, by name."""
        ...

    def restore(self, state: "Mapping[str, Tensor]") -> None:
        """Take back what `state` gave."""
        ...


class Method(Protocol):
    """A training method with its hyper-parameters."""

    def build(self, folder: str, num_classes: int, seed: int) -> "MultiExitModel":
        """A fresh model on the pretrained backbone in `folder`, its new weights drawn from `seed`."""
        ...

    def objective(self, steps_per_epoch: int, epochs: int, seed: int, device: "torch.device") -> Objective:
        """The objective of one training run."""
        ...


_CLASSES = MappingProxyType({"finetune": "cosee.methods.finetune.Finetune", "cosee": "cosee.methods.cosee.Cosee"})


class _Methods(Mapping[str, Callable[..., Method]]):
    """Methods by name, each imported when it is first asked for."""

    def __getitem__(self, name: str) -> Callable[..., Method]:
        module, _, attribute = _CLASSES[name].rpartition(".")
        return getattr(import_module(module), attribute)

    def __contains__(self, name: object) -> bool:
        return name in _CLASSES  # without importing it

    def __iter__(self):
        return iter(_CLASSES)

    def __len__(self) -> int:
        return len(_CLASSES)


METHODS: Mapping[str, Callable[..., Method]] = _Methods()
"""The methods by their name in the configuration."""


def make_method(name: str, settings: Mapping[str, Any]) -> Method:
    """The method `name` with the given hyper-parameters.

    Raises:
        InputError: no such method, or it has no such hyper-parameter.
    """
    if name not in METHODS:
        raise InputError(f"method: {name!r} is unknown; expected one of {', '.join(METHODS)}.")
    method = METHODS[name]
    known = {field.name for field in fields(method)}
    foreign = sorted(set(settings) - known)
    if foreign:
        raise InputError(
            f"method {name}: no hyper-parameter {foreign[0]!r}; expected one of {', '.join(sorted(known))}."
        )
    return method(**settings)
