"""A naive training step of COSEE: every example padded to the maximal length, Python loops over everything.

Written from the paper (Eq. 2-9) in the style of the released code: an example is padded when it is fetched, exits are
computed one after the other, and the simulated exit of every example at every threshold is searched in Python, value by
value. It gives the loss of `cosee.methods.cosee` up to rounding, and is the reference for the speed of training.
"""

from math import exp

import torch
from torch import Tensor
from torch.nn import functional as F

from cosee.data.batches import Batch
from cosee.data.tokens import TokenSplit
from cosee.exiting.signals import SIGNALS
from cosee.methods.cosee import Cosee
from cosee.models.multi_exit import MultiExitModel


def padded_example(split: TokenSplit, index: int, length: int, pad_id: int) -> tuple[Tensor, Tensor, Tensor, int]:
    """One item of a data set: ids [T], mask [T] and segments [T], padded to `length`, and the label."""
    ids = split.ids[split.offsets[index] : split.offsets[index + 1]].tolist()
    second, rest = int(split.second[index]), length - len(ids)
    return (
        torch.tensor(ids + [pad_id] * rest),
        torch.tensor([1] * len(ids) + [0] * rest),
        torch.tensor([0] * second + [1] * (len(ids) - second) + [0] * rest),
        int(split.labels[index]),
    )


def collate(examples: list[tuple[Tensor, Tensor, Tensor, int]], device: torch.device) -> Batch:
    """Stack padded examples on the host, as a data loader does, and copy the batch to the device."""
    ids, mask, types, labels = zip(*examples, strict=True)
    ids, mask, types = (torch.stack(part).to(device) for part in (ids, mask, types))
    return Batch(ids, mask, types, torch.tensor(labels).to(device), torch.arange(len(labels)))


def exits_one_by_one(model: MultiExitModel, batch: Batch) -> list[Tensor]:
    """Logits [B, C] of every exit, layer after layer."""
    hidden, mask = model.backbone.embed(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    logits, carry = [], None
    for index in range(model.num_exits):
        hidden = model.backbone.layer(index, hidden, mask)
        outputs, carry = model.exits.forward_exit(index, model.backbone.state(hidden, mask), model.backbone, carry)
        logits.append(outputs.logits)
    return logits


def looped_loss(logits: list[Tensor], labels: Tensor, method: Cosee, thresholds: list[float], beta: float) -> Tensor:
    """Eq. 9 for M logits [B, C], K thresholds and the decay factor of the step."""
    signal = SIGNALS[method.signal]
    num_exits, num_examples = len(logits), len(labels)
    cross_entropies = [F.cross_entropy(exit_logits, labels, reduction="none") for exit_logits in logits]
    scores = [signal.score(exit_logits) for exit_logits in logits[:-1]]

    loss_ce = 0.0
    for threshold in thresholds:
        rows = []
        for n in range(num_examples):
            exit_layer = num_exits - 1
            for m in range(num_exits - 1):
                score = scores[m][n].item()
                if score < threshold if signal.harder_is == "larger" else score > threshold:
                    exit_layer = m
                    break
            decayed = [exp(-beta * abs(m - exit_layer)) for m in range(num_exits)]
            rows.append([value / sum(decayed) for value in decayed])
        weights = torch.tensor(rows, device=labels.device)
        for m, cross_entropy in enumerate(cross_entropies):
            loss_ce = loss_ce + (weights[:, m] * cross_entropy).sum() / num_examples

    loss_osc, present = 0.0, 0
    for score, exit_logits in zip(scores, logits, strict=False):
        right = exit_logits.argmax(dim=-1) == labels
        if right.any().item() and not right.all().item():
            gap = score[right].mean() - score[~right].mean()
            loss_osc = loss_osc + F.relu((gap if signal.harder_is == "larger" else -gap) + method.margin)
            present += 1
    divisor = max(present, 1) if method.osc_average == "present" else num_exits - 1
    return loss_ce / len(thresholds) + method.alpha * loss_osc / divisor
