"""Early exit for real: layer by layer, a sample stops where its exit rule says so, and later layers see only the rest.

Gives the predictions and exit layers that `cosee.exits.exit_layers` simulates from stored logits.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from cosee.batches import Batch
from cosee.errors import InputError
from cosee.heads import Outputs
from cosee.model import MultiExitModel
from cosee.rules import Rule


@torch.inference_mode()
def early_exit(
    model: MultiExitModel,
    batch: Batch,
    rule: Rule,
    threshold: float,
    on_layer: Callable[[int, int], None] = lambda layer, rows: None,
    check_every: int = 1,
) -> tuple[Tensor, Tensor]:
    """Predict a batch, each row at the first exit whose score passes the threshold.

    Rows that are done leave the batch (row compaction), and padding that only they needed leaves with them, so that the
    work saved is time saved; with one row the computation simply stops.

    Args:
        model: a model in eval mode with an exit after every layer.
        batch: input rows; labels are not used.
        rule: exit rule.
        threshold: of the rule's score; strict comparison, as in training and in the sweep.
        on_layer: called before every layer with its index (0-based) and the number of rows that it computes.
        check_every: layers between the moments when the host asks who is done. On a GPU it waits for the answer; in
            between it runs ahead. Rows that were done meanwhile keep the answer of their own exit: the result does not
            depend on this.

    Returns:
        Logits of the exit taken [B, C] and exit layers [B], 0-based.

    Raises:
        InputError: the rule cannot be decided row by row.
    """
    check_online(rule)
    hidden, mask = model.backbone.embed(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    rows = np.arange(len(batch))  # position in the batch of every row still computed
    answers = np.empty((len(batch), model.exits.num_classes), dtype=np.float32)
    exits = np.empty(len(batch), dtype=np.int64)
    seen = _Seen(rule)
    untested: list[Outputs] = []
    memory = lengths = None
    for layer in range(model.num_exits):
        on_layer(layer, len(rows))
        hidden = model.backbone.layer(layer, hidden, mask)
        here, memory = model.exits.at(layer, hidden[:, 0], model.backbone, memory)
        untested.append(here)
        is_last = layer == model.num_exits - 1
        if len(untested) < check_every and not is_last:
            continue
        logits, passed = seen.test(untested, threshold)
        if is_last:
            passed[:, -1] = True
        done = passed.any(axis=1)
        if done.any():
            first = passed[done].argmax(axis=1)
            answers[rows[done]] = logits[done, first]
            exits[rows[done]] = first + (layer + 1 - len(untested))
            if done.all():
                break
            stay = np.flatnonzero(~done)
            rows, index = rows[stay], torch.as_tensor(stay).to(hidden.device, non_blocking=True)
            seen.keep(stay)
            hidden = hidden[index]
            memory = None if memory is None else memory[index]
            if mask is not None:
                lengths = (reach(mask) if lengths is None else lengths)[stay]
                hidden, mask = hidden[:, : lengths.max()], mask[index, ..., : lengths.max()]
        untested.clear()
    return torch.as_tensor(answers, device=hidden.device), torch.as_tensor(exits, device=hidden.device)


@torch.inference_mode()
def last_exit(model: MultiExitModel, batch: Batch) -> Tensor:
    """Logits [B, C] of the last exit, nothing leaving early: no exit is visited that these do not depend on."""
    hidden, mask = model.backbone.embed(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    memory = None
    for layer in range(model.backbone.num_layers):
        hidden = model.backbone.layer(layer, hidden, mask)
        if model.exits.look_back and layer < model.num_exits - 1:
            _, memory = model.exits.at(layer, hidden[:, 0], model.backbone, memory)
    return model.exits.at(model.num_exits - 1, hidden[:, 0], model.backbone, memory)[0].logits.float()


def check_online(rule: Rule) -> None:
    """Refuse a rule that cannot be decided row by row.

    Raises:
        InputError: it serves to evaluate whole splits alone.
    """
    if not rule.is_online:
        raise InputError(f"exit rule {rule.name}: serves to evaluate whole splits alone; choose one for single rows.")


class _Seen:
    """The outputs of the exits that a rule looks back at, on the host: there the simulation's own code decides.

    A score is a dozen operations on a few numbers, which the host has done before a GPU would have begun with them.
    """

    def __init__(self, rule: Rule) -> None:
        """Nothing seen yet."""
        self.rule = rule
        self.logits: np.ndarray | None = None
        self.learnt: np.ndarray | None = None

    def test(self, outputs: list[Outputs], threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """Logits [b, n, C] of the next n exits, and whether their scores pass the threshold [b, n]."""
        rule = self.rule
        logits = on_host(torch.stack([one.logits for one in outputs], dim=1))
        self.logits = self._extended(self.logits, logits)
        if rule.needs_scores:
            self.learnt = self._extended(self.learnt, on_host(torch.stack([one.scores for one in outputs], dim=1)))
        # In float64 like `Predictions.scores`: rounding would make ties of confident scores.
        learnt = None if self.learnt is None else self.learnt.astype(np.float64)
        scores = rule.score(self.logits.astype(np.float64), learnt)[:, -len(outputs) :]
        return logits, scores < threshold if rule.harder_is == "larger" else scores > threshold

    def keep(self, rows: np.ndarray) -> None:
        """Go on with some of the rows [b]."""
        self.logits = self.logits[rows]
        self.learnt = None if self.learnt is None else self.learnt[rows]

    def _extended(self, past: np.ndarray | None, here: np.ndarray) -> np.ndarray:
        """What the next test reads [b, m, ...]."""
        if past is None or self.rule.lookback == 0:
            return here
        return np.concatenate([past if self.rule.lookback is None else past[:, -self.rule.lookback :], here], axis=1)


def on_host(values: Tensor) -> np.ndarray:
    """A tensor as float32 array; here, and nowhere else, the host waits for a GPU."""
    return values.float().cpu().numpy()


def reach(mask: Tensor) -> np.ndarray:
    """Number of positions up to the last token [b] of every row of an attention mask [b, 1, 1, T]."""
    positions = torch.arange(1, mask.shape[-1] + 1, device=mask.device)
    return on_host((mask[:, 0, 0] * positions).amax(dim=-1)).astype(np.int64)
