"""Plain fine-tuning: one exit, at the end of the whole encoder or of its first k layers (the baselines BERT-kL)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cosee.data.batches import Batch
from cosee.methods.base import Method
from cosee.models.backbones import Backbone
from cosee.models.heads import LinearExits
from cosee.models.multi_exit import MultiExitModel
from cosee.models.randomness import torch_generator
from cosee.ranges import FractionBelowOne
from cosee.training.objective import Objective
from cosee.training.schedule import Schedule


@dataclass(frozen=True)
class Finetune(Method):
    """Fine-tune the first `depth` layers (None: all) with one classifier on top of the last."""

    depth: int | None = None
    dropout: FractionBelowOne = 0.1

    def build(self, backbone: Backbone, num_classes: int, seed: int) -> MultiExitModel:
        """A truncated backbone with a single exit."""
        backbone = backbone.truncated(self.depth)
        heads = LinearExits(1, backbone.hidden_size, num_classes, self.dropout, torch_generator(seed, "heads"))
        return MultiExitModel(backbone, heads, exit_depths=[backbone.num_layers])

    def objective(self, schedule: Schedule, seed: int, device: torch.device) -> "CrossEntropy":
        """Cross-entropy of the one exit."""
        return CrossEntropy()


class CrossEntropy(Objective):
    """Cross-entropy of the last exit; stateless."""

    def __call__(self, model: MultiExitModel, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean cross-entropy of a batch."""
        loss = F.cross_entropy(model(batch)[:, -1].float(), batch.labels)
        return loss, {"loss_ce": loss, "mean_ce": loss}
