"""The one training loop: AdamW, linear decay, clipping, accumulation, fp32 or bf16; resumable at any moment.

The loop knows no method by name: a method builds the model and gives the objective. Randomness comes from the run's
seed alone, by named streams, so that two methods with one seed see the same examples in the same order and start from
the same head weights.

While a stage is trained, the parameters that learn are views of one flat tensor per group, and so are their gradients
(`cosee.training.optimizer`): whoever copies or transforms single parameters gets views of a large tensor.
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cosee.data.batches import DeviceSplit, training_order
from cosee.errors import DivergedError
from cosee.models.multi_exit import MultiExitModel
from cosee.models.prediction import Predicted, predict
from cosee.seeds import derive, numpy_generator
from cosee.training.checkpoints import Checkpoints, improved
from cosee.training.history import Position, history_rows
from cosee.training.objective import Objective
from cosee.training.optimizer import make_optimizer, update
from cosee.training.resume import read_state, save_state
from cosee.training.schedule import Schedule, Stage
from cosee.training.settings import TrainingSettings

log = logging.getLogger(__name__)


def train(
    model: MultiExitModel,
    *,
    stages: tuple[Stage, ...],
    objective: Callable[[Schedule], Objective],
    fit: DeviceSplit,
    sel: DeviceSplit,
    settings: TrainingSettings,
    seed: int,
    select: Callable[[Predicted], Mapping[str, float]],
    state_file: Path,
    fingerprint: str,
    progress: Callable[[int, int, float], None] = lambda step, total, loss: None,
) -> tuple[pd.DataFrame, dict[str, Any], Checkpoints]:
    """Train a model in place; it ends with the weights of the checkpoint of the first exit rule.

    Args:
        model: a fresh model on its device.
        stages: parts of the run, each with an optimizer of its own.
        objective: how the run is cut into steps -> its objective.
        fit: examples to learn from.
        sel: examples on which checkpoints are compared, once per epoch.
        settings: how to train.
        seed: seed of the run, from which data order and dropout are derived.
        select: outputs of all exits on `sel` -> exit rule -> score of a checkpoint, higher is better; each rule has a
            checkpoint of its own, and the first is that of the run.
        state_file: the state to resume from, if it exists; saved to every few minutes.
        fingerprint: identity of the run; a state of another one is left aside.
        progress: called with step, total steps and the last known loss after every save and every epoch.

    Returns:
        The history (one row per optimizer step), facts for `run.json`, and the checkpoint of each exit rule.

    Raises:
        DivergedError: the loss is no finite number (names the step and the rows of its batch), or the logits are none.
    """
    micro_batch = settings.batch_size // settings.accumulation
    schedule = Schedule(math.ceil(len(fit) / micro_batch), settings.epochs, settings.accumulation, stages)
    run = _Training(
        model, schedule, objective(schedule), fit, sel, settings, seed, select, state_file, fingerprint, progress
    )
    position = run.position
    devices = [fit.device] if fit.device.type == "cuda" else []
    with torch.random.fork_rng(devices):  # dropout has no generator of its own in torch: the global one is lent
        torch.manual_seed(derive(seed, "dropout"))
        run.resume()
        model.train()
        model.mixed_precision = settings.precision == "bf16"
        while position.epoch < settings.epochs:
            # learn
            run.train_epoch()
            # compare the checkpoint with the best one
            run.evaluate_epoch()
            # save, after the last epoch too: predictions may take long, and a kill in them must not repeat the training
            position.epoch, position.batch = position.epoch + 1, 0
            if run.is_save_due():
                run.save()
            progress(position.epoch * schedule.steps_per_epoch, schedule.total_steps, run.rows[-1]["loss"])

    best = run.checkpoints
    model.load_state_dict(best.weights[next(iter(best.epoch.values()))])
    facts = {
        "seconds": run.seconds(),
        "steps": schedule.total_steps,
        "best_epoch": {rule: epoch + 1 for rule, epoch in best.epoch.items()},
        "sel_score": best.score,
    }
    return pd.DataFrame(run.rows), facts, best


@dataclass
class _Training:
    """A run in progress: the inputs of `train`, and what changes from step to step.

    Attributes:
        position: how far the run is.
        rows: the history so far.
        checkpoints: the best checkpoint of each exit rule so far.
        pending_scalars: of the batches that have no history row yet; still on the device.
        optimizer: that of the stage.
    """

    model: MultiExitModel
    schedule: Schedule
    objective: Objective
    fit: DeviceSplit
    sel: DeviceSplit
    settings: TrainingSettings
    seed: int
    select: Callable[[Predicted], Mapping[str, float]]
    state_file: Path
    fingerprint: str
    progress: Callable[[int, int, float], None]
    position: Position = field(default_factory=Position)
    rows: list[dict[str, Any]] = field(default_factory=list)
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    pending_scalars: list[dict[str, Tensor]] = field(default_factory=list)
    optimizer: torch.optim.AdamW = field(init=False)
    saved_at: float = field(default_factory=monotonic)

    def __post_init__(self) -> None:
        self.began_at = self.saved_at

    def resume(self) -> None:
        """Take up a saved state of this run, if there is one."""
        saved = read_state(self.state_file, self.fingerprint)
        if saved is None:
            return
        vars(self.position).update(saved.position)
        self.rows, self.checkpoints = saved.rows, saved.checkpoints
        log.info("resuming %s: epoch %d, batch %d", self.state_file, self.position.epoch + 1, self.position.batch)
        self.start_stage(self.position.stage)
        saved.restore(self.model, self.optimizer, self.objective)
        self.began_at -= self.position.seconds

    def start_stage(self, stage: int) -> None:
        """Let the parameters of a stage learn, and only these, with an optimizer of its own."""
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(self.schedule.stages[stage].trains(name))
        self.optimizer = make_optimizer(
            self.model, self.settings.learning_rate, self.settings.weight_decay, self.settings.head_factor
        )
        self.position.stage = stage

    def train_epoch(self) -> None:
        """Learn from the batches of this epoch that are not done yet."""
        position, schedule, accumulation = self.position, self.schedule, self.settings.accumulation
        micro_batch = self.settings.batch_size // accumulation
        order = training_order(self.fit.lengths, micro_batch, numpy_generator(self.seed, "order", position.epoch))
        for index in range(position.batch, len(order)):
            step = schedule.step(position.epoch, index)
            # enter the stage of this step
            if schedule.stage(step) != position.stage:
                self.write_history(order)  # a stage may log other scalars than the one before
                self.start_stage(schedule.stage(step))
                self.objective.begin_stage(position.stage, self.model, self.fit)
            # forward and backward; the last step of an epoch may have fewer batches than the others
            first_of_step = index - index % accumulation
            self.accumulate(order[index], step, batches_of_step=min(accumulation, len(order) - first_of_step))
            position.batch = index + 1
            is_last = position.batch == len(order)
            if position.batch % accumulation and not is_last:
                continue
            # update the weights
            rate = self.settings.learning_rate * schedule.rate(step, self.settings.warmup)
            update(self.optimizer, rate, self.settings.clip)
            # save every few minutes; after the last batch the checkpoint is compared first
            if self.is_save_due() and not is_last:
                self.write_history(order)
                self.save()
                self.progress(step + 1, schedule.total_steps, self.rows[-1]["loss"])
        self.objective.end_epoch()
        self.write_history(order)

    def accumulate(self, rows: np.ndarray, step: int, batches_of_step: int) -> None:
        """Add the gradients of a batch's loss, as a share of the step's mean loss, and keep its scalars."""
        loss, parts = self.objective(self.model, self.fit.batch(rows), step)
        (loss / batches_of_step).backward()
        self.pending_scalars.append({name: scalar.detach() for name, scalar in {"loss": loss, **parts}.items()})

    def evaluate_epoch(self) -> None:
        """Predict the selection split, add what it gives to the last history row, keep the best weights.

        Raises:
            DivergedError: the logits are no finite numbers.
        """
        position = self.position
        outputs = predict(self.model, self.sel, self.settings.eval_batch_size)
        if not np.isfinite(outputs.logits).all():
            raise DivergedError(
                f"training: after epoch {position.epoch + 1} the logits of the selection split are not finite "
                "numbers; lower the learning rate."
            )
        correct = outputs.logits.argmax(axis=-1) == self.sel.labels.cpu().numpy()[:, None]
        accuracies = zip(self.model.exit_depths, correct.mean(axis=0), strict=True)
        scores = self.select(outputs)
        self.rows[-1] |= {f"sel_accuracy_{depth}": float(accuracy) for depth, accuracy in accuracies}
        first, *others = scores
        self.rows[-1] |= {"sel_score": scores[first], **{f"sel_score_{rule}": scores[rule] for rule in others}}
        # Before its last stage a method's exits are not finished.
        if position.stage == len(self.schedule.stages) - 1:
            rules = scores if self.settings.checkpoint == "last" else improved(self.checkpoints.score, scores)
            self.checkpoints.keep(self.model, position.epoch, scores, rules)

    def write_history(self, order: list[np.ndarray]) -> None:
        """Turn the pending scalars into history rows."""
        self.rows += history_rows(self.pending_scalars, order, self.position, self.schedule, self.settings)
        self.pending_scalars = []

    def is_save_due(self) -> bool:
        """Whether the last save is long enough ago."""
        return monotonic() - self.saved_at > 60 * self.settings.save_minutes

    def seconds(self) -> float:
        """Time spent in this run, in all its processes."""
        return monotonic() - self.began_at

    def save(self) -> None:
        """Write the state to resume from."""
        self.position.seconds = self.seconds()
        save_state(
            self.state_file,
            self.fingerprint,
            self.model,
            self.optimizer,
            self.objective,
            asdict(self.position),
            self.rows,
            self.checkpoints,
        )
        self.saved_at = monotonic()
