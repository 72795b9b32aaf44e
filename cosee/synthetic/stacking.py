"""Progressive stacking: most steps of pre-training train a quarter of the layers, which are then duplicated.

It brings twelve layers within minutes of one core. A model decides itself how it is deepened.
"""

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

STAGES = ((4, 0.85), (2, 0.93), (1, 1.0))
"""(1 / share of the layers, share of the steps after which the stage ends)."""


def first_depth(num_layers: int) -> int:
    """Layers of the first stage of a model that is to have `num_layers`."""
    return max(1, num_layers // STAGES[0][0])


def duplicated(layers: nn.ModuleList, num_layers: int) -> nn.ModuleList:
    """`num_layers` layers of their own, in which each of `layers` is followed by its copies."""
    return nn.ModuleList(copy.deepcopy(layers[i * len(layers) // num_layers]) for i in range(num_layers))


def train_stacked(
    model: nn.Module,
    deepen: Callable[[int], None],
    next_loss: Callable[[], Tensor],
    *,
    num_layers: int,
    steps: int,
    learning_rate: float,
) -> list[float]:
    """Train a model in place with AdamW, linear warm-up and decay, and deepen it at the beginning of every stage.

    Args:
        model: of `first_depth(num_layers)` layers.
        deepen: gives the model a number of layers, in place.
        next_loss: the loss of the next batch, a scalar.
        num_layers: depth in the end.
        steps: optimizer steps in total.
        learning_rate: its peak.

    Returns:
        The loss of every step.
    """
    losses: list[float] = []
    for part, end in STAGES:
        deepen(max(1, num_layers // part))
        optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        begin = len(losses)
        for step in range(begin, round(end * steps)):
            warm = min((step + 1) / (0.05 * steps), (step - begin + 1) / 20)  # a new stage starts gently, too
            optimizer.param_groups[0]["lr"] = learning_rate * min(warm, (steps - step) / (0.95 * steps))
            loss = next_loss()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
    return losses


def endless_batches(lengths: Tensor, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Endless batches of texts of similar length, to save padding.

    Args:
        lengths: tokens of each text [N].
        batch_size: B.
        generator: source of the order; it is read only when a new pass over the texts begins.

    Yields:
        Positions of the texts of a batch [up to B].
    """
    while True:
        pools = torch.randperm(len(lengths), generator=generator).split(16 * batch_size)
        batches = [rows for pool in pools for rows in pool[lengths[pool].argsort()].split(batch_size)]
        for i in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[i]
