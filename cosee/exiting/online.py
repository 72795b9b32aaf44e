"""Early exit for real: layer by layer, a sample stops where its exit rule says so, and later layers see only the rest.

Gives the predictions and exit layers that `cosee.exiting.simulation.exit_layers` simulates from stored logits.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from cosee.data.batches import Batch
from cosee.errors import InputError
from cosee.exiting.rules import Rule
from cosee.models.heads import Outputs
from cosee.models.multi_exit import MultiExitModel


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
    exits = np.full(len(batch), model.num_exits - 1)
    scorer = OnlineScorer(rule, len(batch), model)
    untested: list[Outputs] = []
    carry = lengths = None
    for layer in range(model.num_exits):
        on_layer(layer, len(rows))
        hidden = model.backbone.layer(layer, hidden, mask)
        here, carry = model.exits.forward_exit(layer, model.backbone.state(hidden, mask), model.backbone, carry)
        untested.append(here)
        if len(untested) < check_every and layer < model.num_exits - 1:
            continue
        passed = scorer.test(rows, layer + 1 - len(untested), untested, threshold)
        if passed.any():
            done = passed.any(axis=1)
            exits[rows[done]] = layer + 1 - len(untested) + passed[done].argmax(axis=1)
            if done.all():
                break
            stay = np.flatnonzero(~done)
            rows, index = rows[stay], torch.as_tensor(stay).to(hidden.device, non_blocking=True)
            hidden = hidden[index]
            carry = None if carry is None else carry[index]
            if mask is not None:
                lengths = (last_token_positions(mask) if lengths is None else lengths)[stay]
                hidden, mask = hidden[:, : lengths.max()], mask[index, ..., : lengths.max()]
        untested.clear()
    logits = torch.from_numpy(scorer.logits[np.arange(len(batch)), exits]).float()
    return logits.to(hidden.device), torch.from_numpy(exits).to(hidden.device)


@torch.inference_mode()
def last_exit(model: MultiExitModel, batch: Batch) -> Tensor:
    """Logits [B, C] of the last exit, nothing leaving early: no exit is visited that these do not depend on."""
    hidden, mask = model.backbone.embed(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    carry = None
    for layer in range(model.backbone.num_layers):
        hidden = model.backbone.layer(layer, hidden, mask)
        if model.exits.lookback and layer < model.num_exits - 1:
            _, carry = model.exits.forward_exit(layer, model.backbone.state(hidden, mask), model.backbone, carry)
    return model.exits.forward_exit(model.num_exits - 1, model.backbone.state(hidden, mask), model.backbone, carry)[
        0
    ].logits.float()


def check_online(rule: Rule) -> None:
    """Refuse a rule that cannot be decided row by row.

    Raises:
        InputError: it serves to evaluate whole splits alone.
    """
    if not rule.is_online:
        raise InputError(f"exit rule {rule.name}: serves to evaluate whole splits alone; choose one for single rows.")


class OnlineScorer:
    """What the exits so far have said about every row, on the host: there the simulation's own code decides.

    A score is a dozen operations on a few numbers, which the host has done before a GPU would have begun with them.
    Kept in float64 like `ExitOutputs.exit_scores`: rounding would make ties of confident scores.

    Attributes:
        logits: of the exits visited [B, M, C].
        learned_scores: those of the exits visited [B, M], where the rule reads them.
    """

    def __init__(self, rule: Rule, num_rows: int, model: MultiExitModel) -> None:
        """Nothing said yet."""
        self.rule = rule
        self.logits = np.empty((num_rows, model.num_exits, model.exits.num_classes))
        self.learned_scores = np.empty((num_rows, model.num_exits)) if rule.needs_learned_scores else None

    def test(self, rows: np.ndarray, exit: int, outputs: list[Outputs], threshold: float) -> np.ndarray:
        """Take down the outputs of n exits from `exit` on for some rows [b]; whether they pass the threshold [b, n]."""
        rule, stop = self.rule, exit + len(outputs)
        window = slice(0 if rule.lookback is None else max(0, exit - rule.lookback), stop)
        self.logits[rows, exit:stop] = to_numpy(*(one.logits for one in outputs))
        learned = None
        if rule.needs_learned_scores:
            self.learned_scores[rows, exit:stop] = to_numpy(*(one.learned_scores for one in outputs))
            learned = self.learned_scores[rows, window]
        scores = rule.score(self.logits[rows, window], learned)[:, -len(outputs) :]
        return scores < threshold if rule.harder_is == "larger" else scores > threshold


def to_numpy(*values: Tensor) -> np.ndarray:
    """Tensors [b, ...] side by side, as a float32 array [b, n, ...]; nowhere else does the host wait for a GPU."""
    together = values[0].unsqueeze(1) if len(values) == 1 else torch.stack(values, dim=1)
    return together.float().cpu().numpy()


def last_token_positions(mask: Tensor) -> np.ndarray:
    """Number of positions up to the last token [b] of every row of an attention mask [b, 1, 1, T]."""
    positions = torch.arange(1, mask.shape[-1] + 1, device=mask.device)
    return to_numpy((mask[:, 0, 0] * positions).amax(dim=-1))[:, 0].astype(np.int64)
