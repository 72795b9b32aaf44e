"""The one training loop: AdamW, linear decay, clipping, accumulation, fp32 or bf16; resumable at any moment.

The loop knows no method by name: a method builds the model and gives the objective. Randomness comes from the run's
seed alone, by named streams, so that two methods with one seed see the same rows in the same order and start from the
same head weights.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
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
from cosee.training.objective import Objective
from cosee.training.optimizer import make_optimizer, update
from cosee.training.resume import read_state, save_state
from cosee.training.schedule import Schedule, Stage
from cosee.training.settings import TrainingSettings

log = logging.getLogger(__name__)


@dataclass
class Position:
    """Where a run stands: everything besides weights and optimizer that is needed to go on."""

    epoch: int = 0
    batch: int = 0  # batches of this epoch that are done
    stage: int = -1  # the one whose optimizer is in use; -1 before the first step
    best_score: float = -math.inf
    best_epoch: int = -1
    seconds: float = 0.0  # spent in this run before the last save


def train(
    model: MultiExitModel,
    stages: tuple[Stage, ...],
    objective: Callable[[Schedule], Objective],
    fit: DeviceSplit,
    sel: DeviceSplit,
    settings: TrainingSettings,
    seed: int,
    select: Callable[[Predicted], float],
    state_file: Path,
    fingerprint: str,
    keep_state: bool = False,
    progress: Callable[[int, int, float], None] = lambda step, total, loss: None,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Train a model in place; it ends with the weights of the chosen checkpoint.

    Args:
        model: a fresh model on its device.
        stages: parts of the run, each with an optimizer of its own.
        objective: how the run is cut into steps -> its objective.
        fit: rows to learn from.
        sel: rows on which checkpoints are compared, once per epoch.
        settings: how to train.
        seed: seed of the run, from which data order and dropout are derived.
        select: outputs of all exits on `sel` -> score of a checkpoint, higher is better.
        state_file: where to go on from, if it exists, and what is saved to every few minutes.
        fingerprint: identity of the run; a state of another one is left aside.
        keep_state: save the state at the end too, so that a finished run need not be trained again.
        progress: called with step, total steps and the last known loss after every save and every epoch.

    Returns:
        The history (one row per optimizer step) and facts for `run.json`.

    Raises:
        DivergedError: the loss is no finite number (names the step and the rows of its batch), or the logits are none.
    """
    micro_batch = settings.batch_size // settings.accumulation
    schedule = Schedule(-(-len(fit) // micro_batch), settings.epochs, settings.accumulation, stages)
    goal = objective(schedule)

    def enter(stage: int) -> torch.optim.AdamW:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(stages[stage].trains(name))
        return make_optimizer(model, settings.learning_rate, settings.weight_decay)

    devices = [fit.device] if fit.device.type == "cuda" else []
    with torch.random.fork_rng(devices):  # dropout has no generator of its own in torch: the global one is lent
        torch.manual_seed(derive(seed, "dropout"))
        position, rows, best = Position(), [], {}
        saved = read_state(state_file, fingerprint)
        if saved is not None:
            position, rows, best = Position(**saved.position), saved.rows, saved.best
            log.info("going on from %s: epoch %d, batch %d", state_file, position.epoch + 1, position.batch)
        optimizer = enter(max(0, position.stage))
        if saved is not None:
            saved.restore(model, optimizer, goal)
        saved_at = monotonic()
        began_at = saved_at - position.seconds

        def save() -> None:
            position.seconds = monotonic() - began_at
            save_state(state_file, fingerprint, model, optimizer, goal, asdict(position), rows, best)

        model.train()
        model.mixed_precision = settings.precision == "bf16"
        while position.epoch < settings.epochs:
            order = training_order(fit.lengths, micro_batch, numpy_generator(seed, "order", position.epoch))
            done: list[dict[str, Tensor]] = []
            for index in range(position.batch, len(order)):
                step = schedule.step(position.epoch, index)
                if schedule.stage(step) != position.stage:
                    rows += history_rows(done, order, position, schedule, settings)
                    done = []  # a stage may log other scalars than the one before
                    position.stage = schedule.stage(step)
                    optimizer = enter(position.stage)
                    goal.begin_stage(position.stage, model, fit)
                loss, parts = goal(model, fit.batch(order[index]), step)
                group = min(settings.accumulation, len(order) - index // settings.accumulation * settings.accumulation)
                (loss / group).backward()
                done.append({"loss": loss.detach(), **parts})
                position.batch = index + 1
                if position.batch % settings.accumulation and position.batch < len(order):
                    continue
                update(optimizer, settings.learning_rate * schedule.rate(step, settings.warmup), settings.clip)
                if monotonic() - saved_at > 60 * settings.save_minutes and position.batch < len(order):
                    rows += history_rows(done, order, position, schedule, settings)
                    done = []
                    save()
                    progress(step + 1, schedule.total_steps, rows[-1]["loss"])
                    saved_at = monotonic()

            goal.end_epoch()
            rows += history_rows(done, order, position, schedule, settings)
            outputs = predict(model, sel, settings.eval_batch_size)
            if not np.isfinite(outputs.logits).all():
                raise DivergedError(
                    f"training: after epoch {position.epoch + 1} the logits of the selection split are not finite "
                    "numbers; lower the learning rate."
                )
            labels = sel.labels.cpu().numpy()
            accuracy = (outputs.logits.argmax(axis=-1) == labels[:, None]).mean(axis=0)
            rows[-1] |= {f"sel_accuracy_{d}": float(a) for d, a in zip(model.exit_depths, accuracy, strict=True)}
            rows[-1]["sel_score"] = score = select(outputs)
            is_trained = position.stage == len(stages) - 1  # before its last stage a method's exits are not finished
            if is_trained and (settings.checkpoint == "last" or score > position.best_score):
                position.best_score, position.best_epoch = score, position.epoch
                best = {name: value.detach().clone() for name, value in model.state_dict().items()}
            position.epoch, position.batch = position.epoch + 1, 0
            finished = position.epoch == settings.epochs
            if (keep_state and finished) or (not finished and monotonic() - saved_at > 60 * settings.save_minutes):
                save()
                saved_at = monotonic()
            progress(position.epoch * schedule.steps_per_epoch, schedule.total_steps, rows[-1]["loss"])

    model.load_state_dict(best)
    position.seconds = monotonic() - began_at
    return pd.DataFrame(rows), {
        "seconds": position.seconds,
        "steps": schedule.total_steps,
        "best_epoch": position.best_epoch + 1,
        "sel_score": position.best_score,
    }


def history_rows(
    done: list[dict[str, Tensor]],
    order: list[np.ndarray],
    position: Position,
    schedule: Schedule,
    settings: TrainingSettings,
) -> list[dict[str, Any]]:
    """Bring the scalars of the last batches to the host, all at once, as one history row per optimizer step.

    Raises:
        DivergedError: a loss among them is not a finite number.
    """
    if not done:
        return []
    names = list(done[0])
    values = torch.stack([torch.stack([batch[name].float() for name in names]) for batch in done]).cpu().numpy()
    first = position.batch - len(done)
    bad = np.flatnonzero(~np.isfinite(values[:, names.index("loss")]))
    if len(bad):
        index = first + int(bad[0])
        step = schedule.step(position.epoch, index) + 1
        shown = ", ".join(map(str, order[index][:8])) + (", …" if len(order[index]) > 8 else "")
        raise DivergedError(
            f"training: the loss of step {step} (epoch {position.epoch + 1}, batch {index + 1} of {len(order)}, "
            f"rows {shown}) is not a finite number; "
            "lower the learning rate, or look at these rows of the fit split."
        )
    rows = []
    for begin in range(0, len(values), settings.accumulation):
        step = schedule.step(position.epoch, first + begin)
        rate = settings.learning_rate * schedule.rate(step, settings.warmup)
        means = values[begin : begin + settings.accumulation].mean(axis=0).astype(float)
        scalars = dict(zip(names, means.tolist(), strict=True))
        rows.append({"step": step + 1, "epoch": position.epoch + 1, "lr": rate, **scalars})
    return rows
