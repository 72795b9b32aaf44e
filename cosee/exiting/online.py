"""Execution of early exit: layer by layer, an example stops when its exit rule fires; later layers process the others.

Predictions and exit layers equal those that `cosee.exiting.simulation.exit_layers` simulates from stored logits.
"""

from collections.abc import Callable
from math import nan

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
    """Predict a batch, each example at the first exit whose score passes the threshold.

    Finished examples are removed from the batch, together with padding that only they needed; a single example stops
    computing.

    Args:
        model: a model in eval mode with an exit after every layer.
        batch: input examples; labels are not used.
        rule: exit rule.
        threshold: threshold of the rule's score; strict comparison, as in training and in the sweep.
        on_layer: called before every layer with its index (0-based) and the number of examples in it.
        check_every: run the exit test every `check_every` layers (each test synchronizes host and GPU). The result does
            not depend on it: examples that should have exited between two tests get the logits of their own exit.

    Returns:
        Answer of the rule at the exit taken [B, C], for most rules the exit's logits, and exit layers [B], 0-based.

    Raises:
        InputError: the rule is not online.
    """
    check_online(rule)
    hidden, mask = model.backbone.embed(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    rows = np.arange(len(batch))  # positions in the batch of the remaining examples
    exits = np.full(len(batch), model.num_exits - 1)
    scorer = OnlineScorer(rule, len(batch), model)
    untested: list[Outputs] = []
    carry = lengths = None
    for layer in range(model.num_exits):
        on_layer(layer, len(rows))
        hidden = model.backbone.layer(layer, hidden, mask)
        outputs, carry = model.exits.forward_exit(layer, model.backbone.state(hidden, mask), model.backbone, carry)
        untested.append(outputs)
        if len(untested) < check_every and layer < model.num_exits - 1:
            continue
        passed = scorer.test(rows, layer + 1 - len(untested), untested, threshold)
        if passed.any():
            done = passed.any(axis=1)
            exits[rows[done]] = layer + 1 - len(untested) + passed[done].argmax(axis=1)
            if done.all():
                break
            remaining = np.flatnonzero(~done)
            rows, index = rows[remaining], torch.as_tensor(remaining).to(hidden.device, non_blocking=True)
            hidden = hidden[index]
            carry = None if carry is None else carry[index]
            if mask is not None:
                lengths = (last_token_positions(mask) if lengths is None else lengths)[remaining]
                hidden, mask = hidden[:, : lengths.max()], mask[index, ..., : lengths.max()]
        untested.clear()
    logits = torch.from_numpy(scorer.answers(exits)).float()
    return logits.to(hidden.device), torch.from_numpy(exits).to(hidden.device)


@torch.inference_mode()
def last_exit(model: MultiExitModel, batch: Batch, rule: Rule | None = None) -> Tensor:
    """Answer [B, C] at the last exit, without early exit; other exits are visited only if it depends on them.

    Args:
        model: a model in eval mode.
        batch: input examples; labels are not used.
        rule: exit rule whose answer is wanted; None: the logits of the last exit.

    Raises:
        InputError: the rule is not online.
    """
    if rule is not None and rule.answer is not None:
        return early_exit(model, batch, rule, nan)[0]  # no score passes NaN
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
    """Check that a rule can be decided example by example.

    Raises:
        InputError: the rule is offline-only.
    """
    if not rule.is_online:
        raise InputError(
            f"exit rule {rule.name!r} is offline-only (it needs all examples of a split); choose an online rule."
        )


class OnlineScorer:
    """Outputs of the exits visited so far, on the host, where the simulation's own code tests the exit rule.

    A score is a dozen operations on a few numbers, for which launching GPU kernels would take longer than computing.
    Stored in float64 like `ExitOutputs.exit_scores`: rounding would create ties between confident scores.

    Attributes:
        logits: logits of the exits visited [B, M, C].
        learned: learned scores of the exits visited [B, M], if the rule reads them.
    """

    def __init__(self, rule: Rule, num_examples: int, model: MultiExitModel) -> None:
        """Allocate the outputs of all exits."""
        self.rule = rule
        self.logits = np.zeros((num_examples, model.num_exits, model.exits.num_classes))
        self.learned = np.empty((num_examples, model.num_exits)) if rule.needs_learned_scores else None

    def test(self, rows: np.ndarray, exit: int, outputs: list[Outputs], threshold: float) -> np.ndarray:
        """Store the outputs of n exits from `exit` on for some examples [b]; whether they pass the threshold [b, n]."""
        rule, stop = self.rule, exit + len(outputs)
        window = slice(0 if rule.lookback is None else max(0, exit - rule.lookback), stop)
        self.logits[rows, exit:stop] = to_numpy(*(one.logits for one in outputs))
        learned = None
        if rule.needs_learned_scores:
            self.learned[rows, exit:stop] = to_numpy(*(one.learned_scores for one in outputs))
            learned = self.learned[rows, window]
        scores = rule.score(self.logits[rows, window], learned)[:, -len(outputs) :]
        return scores < threshold if rule.harder_is == "larger" else scores > threshold

    def answers(self, exits: np.ndarray) -> np.ndarray:
        """Answers of the rule [N, C] at the exits taken [N], 0-based; exits after them may not have been visited."""
        return self.rule.answers(self.logits)[np.arange(len(exits)), exits]


def to_numpy(*values: Tensor) -> np.ndarray:
    """N tensors [b, ...] stacked as a float32 array [b, n, ...]; the only place that synchronizes host and GPU."""
    together = values[0].unsqueeze(1) if len(values) == 1 else torch.stack(values, dim=1)
    return together.float().cpu().numpy()


def last_token_positions(mask: Tensor) -> np.ndarray:
    """Number of positions up to the last token [b] of every example of an attention mask [b, 1, 1, T]."""
    positions = torch.arange(1, mask.shape[-1] + 1, device=mask.device)
    return to_numpy((mask[:, 0, 0] * positions).amax(dim=-1))[:, 0].astype(np.int64)
