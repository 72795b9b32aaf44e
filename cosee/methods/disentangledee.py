"""DisentangledEE (Ji et al. 2023), as far as it is documented: adapters at the exits, classifiers that are not trained.

The layers should serve only the layers above them, not also the exits. So the encoder is fine-tuned with only its last
exit; then it is frozen, and every internal exit learns an adapter that turns the general state into one for the task.
No classifier is learned: the class vectors of an exit are a simplex equiangular tight frame (ETF), drawn once, and its
logits are the cosines between them and the standardized pooled state.

The paper's abstract says only "an adapter method" and "non-parametric simplex ETF classifier"; everything else follows
the code that its authors released (Jikai0Wang/DREE), with these differences:

- An adapter works on the output state of a layer. In the released code it works in parallel to the layer's feed-forward
  network, on all tokens, with an additional layer norm on the sum; in ALBERT all layers share it (bottleneck 256), here
  every exit has its own.
- The tight frames are buffers. In the released code they are not saved with the weights but redrawn with every model.
- Both stages share the steps of the run. In the released code they have 5 + 1 epochs (BERT, SST-2) and 20 + 5 (ALBERT,
  MRPC), and the learning rate of the second is 400 (BERT) and 33 (ALBERT) times that of the first.

The exit rule is "patience", as in the released code (with a patience of 6). The cosines bound the logits by 1: with two
classes no softmax score exceeds 0.88, so thresholds on signals differ from those of other methods.
"""

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cosee.losses.per_exit import weighted_mean
from cosee.methods.base import Method
from cosee.methods.deebert import LastThenInternal
from cosee.models.backbones import Backbone
from cosee.models.heads import HEAD_STD, Exits, Outputs, linear_flops
from cosee.models.multi_exit import MultiExitModel
from cosee.models.randomness import torch_generator
from cosee.ranges import FractionBelowOne, OpenFraction, PositiveFloat, PositiveInt
from cosee.training.schedule import Schedule, Stage


@dataclass(frozen=True)
class DisentangledEE(Method):
    """Hyper-parameters of DisentangledEE.

    Attributes:
        first_share: share of the steps that fine-tune the encoder and its last exit.
        rate: learning rate of the adapters relative to that of the encoder; reduce it if the latter is large.
        bottleneck: inner width of an adapter, at most half the hidden size.
        scale: factor on the output of an adapter.
        dropout: on the pooled state.
    """

    first_share: OpenFraction = 0.8
    rate: PositiveFloat = 33.0
    bottleneck: PositiveInt = 128
    scale: PositiveFloat = 8.0
    dropout: FractionBelowOne = 0.1

    def build(self, backbone: Backbone, num_classes: int, seed: int) -> MultiExitModel:
        """A backbone with an adapter at every internal exit and a tight frame at every exit."""
        exits = DisentangledExits(backbone, num_classes, self, seed)
        return MultiExitModel(backbone, exits)

    def stages(self) -> tuple[Stage, ...]:
        """First the encoder and its last exit, then the internal exits."""
        return (
            Stage(self.first_share, trains=lambda name: not name.startswith("exits.internal")),
            Stage(1 - self.first_share, self.rate, lambda name: name.startswith("exits.internal")),
        )

    def objective(self, schedule: Schedule, seed: int, device: torch.device) -> LastThenInternal:
        """The cross-entropy of the last exit, then that of the internal ones."""
        return LastThenInternal(schedule, decreasing_mean)

    def exit_rule(self) -> str:
        """PABEE's patience rule."""
        return "patience"


def simplex_etf(num_classes: int, size: int, generator: torch.Generator) -> Tensor:
    """Class vectors [C, size] of length 1 with cosines -1/(C-1), the largest possible separation of C directions.

    sqrt(C / (C-1)) * (I - 11'/C) P', where the columns of P are C random orthonormal vectors; needs size >= C.
    """
    orthonormal, _ = torch.linalg.qr(torch.randn(size, num_classes, generator=generator, dtype=torch.float32))
    centered = torch.eye(num_classes, dtype=torch.float32) - 1 / num_classes
    return sqrt(num_classes / (num_classes - 1)) * centered @ orthonormal.T


class BatchNorm(nn.BatchNorm1d):
    """Batch normalization that uses its running statistics for a batch of one example, which has no variance."""

    def forward(self, input: Tensor) -> Tensor:
        """Standardize [B, H] per feature."""
        if len(input) > 1:
            return super().forward(input)
        return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class EtfExit(nn.Module):
    """One exit: an optional adapter, the shared pooler, batch normalization, cosines with fixed class vectors."""

    def __init__(self, adapter: nn.Module | None, scale: float, dropout: float, class_vectors: Tensor) -> None:
        """`class_vectors` [C, H] are a buffer: saved with the weights, never trained."""
        super().__init__()
        self.adapter = adapter
        self.scale = scale
        self.dropout = nn.Dropout(dropout)
        self.norm = BatchNorm(class_vectors.shape[1])
        self.register_buffer("class_vectors", class_vectors)

    def forward(self, state: Tensor, backbone: Backbone) -> Tensor:
        """State [B, H] -> logits [B, C]."""
        if self.adapter is not None:
            state = state + self.scale * self.adapter(state)
        features = self.norm(self.dropout(backbone.pool(state)))
        return F.linear(F.normalize(features, dim=-1), self.class_vectors)


def bottleneck_adapter(hidden_size: int, inner: int, generator: torch.Generator) -> nn.Sequential:
    """Linear layer H -> `inner`, ReLU, linear layer back to H; weights from N(0, 0.02), as in the released code."""
    down = nn.utils.skip_init(nn.Linear, hidden_size, inner)
    up = nn.utils.skip_init(nn.Linear, inner, hidden_size)
    for layer in (down, up):
        nn.init.normal_(layer.weight, 0, HEAD_STD, generator)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(down, nn.ReLU(), up)


class DisentangledExits(Exits):
    """Exits with adapters, and a last one without. All parameters of the internal exits are named `internal.*`."""

    def __init__(self, backbone: Backbone, num_classes: int, method: DisentangledEE, seed: int) -> None:
        """An exit after every layer of `backbone`."""
        super().__init__(backbone.num_layers, num_classes)
        self.hidden_size = backbone.hidden_size
        self.inner = min(method.bottleneck, self.hidden_size // 2)
        heads, adapters = torch_generator(seed, "heads"), torch_generator(seed, "adapters")

        def made(adapter: nn.Module | None) -> EtfExit:
            class_vectors = simplex_etf(num_classes, self.hidden_size, heads)
            return EtfExit(adapter, method.scale, method.dropout, class_vectors)

        internal = range(self.num_exits - 1)
        self.internal = nn.ModuleList(
            made(bottleneck_adapter(self.hidden_size, self.inner, adapters)) for _ in internal
        )
        self.final = made(None)

    def forward(self, states: Tensor, backbone: Backbone) -> Outputs:
        """Logits of all exits."""
        each = [self.forward_exit(index, states[:, index], backbone, None)[0].logits for index in range(self.num_exits)]
        return Outputs(torch.stack(each, dim=1))

    def forward_exit(self, index: int, state: Tensor, backbone: Backbone, carry: Tensor | None) -> tuple[Outputs, None]:
        """Logits of one exit."""
        etf_exit = self.final if index == self.num_exits - 1 else self.internal[index]
        return Outputs(etf_exit(state, backbone)), None

    def flops(self, index: int, backbone: Backbone) -> float:
        """The pooler, the class vectors and, before the last exit, an adapter."""
        hidden = self.hidden_size
        adapter = 0.0 if index == self.num_exits - 1 else 2 * linear_flops(hidden, self.inner)
        return adapter + backbone.pool_flops() + linear_flops(hidden, self.num_classes)


def decreasing_mean(losses: Tensor) -> Tensor:
    """Mean, a scalar, of the losses of the internal exits [M-1], exit m weighing M - m.

    The decreasing weights are the released code's; PABEE's increase.
    """
    return weighted_mean(losses, torch.arange(len(losses), 0, -1, device=losses.device))
