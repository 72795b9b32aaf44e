"""The interface of methods: a model, an objective, perhaps stages."""

from abc import ABC, abstractmethod

import torch

from cosee.models.backbones import Backbone
from cosee.models.heads import LinearExits
from cosee.models.multi_exit import MultiExitModel
from cosee.models.randomness import torch_generator
from cosee.training.objective import Objective
from cosee.training.schedule import Schedule, Stage


class Method(ABC):
    """A training method; subclasses are frozen dataclasses of its hyper-parameters."""

    @abstractmethod
    def build(self, backbone: Backbone, num_classes: int, seed: int) -> MultiExitModel:
        """A model with fresh exits on a backbone, which becomes part of it.

        Args:
            backbone: from `cosee.models.loading`: `backbone_of_run` for pretrained weights (and a fresh pooler, if
                that is the backbone's policy), `empty_backbone` if a run's weights are to be loaded.
            num_classes: C.
            seed: seed of the new weights.
        """

    @abstractmethod
    def objective(self, schedule: Schedule, seed: int, device: torch.device) -> Objective:
        """The objective of one training run."""

    def stages(self) -> tuple[Stage, ...]:
        """The parts of a run; by default one, in which everything is trained."""
        return (Stage(),)

    def learns_scores(self) -> bool:
        """Whether the exits output learned scores beside the logits, for exit rules to read."""
        return False

    def exit_rule(self) -> str:
        """Name of the exit rule of the method's paper; the default of the command line."""
        return "energy"


def linear_exits_model(backbone: Backbone, num_classes: int, dropout: float, seed: int) -> MultiExitModel:
    """A backbone with a linear head after every layer, on its shared pooler: the model of most methods.

    Args:
        backbone: becomes part of the model.
        num_classes: C.
        dropout: on the pooled state before each head.
        seed: seed of the heads; with the same seed every method starts from the same heads.
    """
    heads = LinearExits(backbone.num_layers, backbone.hidden_size, num_classes, dropout, torch_generator(seed, "heads"))
    return MultiExitModel(backbone, heads)
