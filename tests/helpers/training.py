"""Short trainings of tiny models, and ways to watch and to kill them."""

import copy
import itertools
from functools import cache

import pandas as pd
import torch
from helpers.tiny import token_split

from cosee.data.batches import DeviceSplit
from cosee.models.loading import load_backbone
from cosee.training.loop import train
from cosee.training.settings import TrainingSettings

CPU = torch.device("cpu")


FIT = DeviceSplit(token_split(40), CPU)


SEL = DeviceSplit(token_split(24, seed=1), CPU)


class Killed(Exception):
    """Stands for the end of the process."""


def last_exit_accuracy(outputs):
    return float((outputs.logits[:, -1].argmax(axis=-1) == SEL.labels.numpy()).mean())


@cache
def fresh(method, folder, seed):
    """A model that is copied before it is trained: reading an encoder takes longer than ten steps."""
    return method.build(load_backbone(folder), 2, seed)


def run(folder, method, state_file, seed=0, wrap=lambda goal: goal, select=last_exit_accuracy, kept=None, **changes):
    """Train a fresh tiny model: 2 epochs of 5 batches unless `changes` say otherwise.

    `select` may give one number, of a run with one exit rule, whose facts are then numbers as well. The checkpoints are
    appended to the list `kept`.
    """

    def scores(outputs):
        found = select(outputs)
        return found if isinstance(found, dict) else {"energy": found}

    changes = {"learning_rate": 0.01, "batch_size": 8, "epochs": 2, "warmup": 0.2} | changes
    options = {name: changes.pop(name) for name in ("progress",) if name in changes}
    fit, fingerprint = changes.pop("fit", FIT), changes.pop("fingerprint", "run")
    settings = TrainingSettings(**changes)
    model = copy.deepcopy(fresh(method, folder, seed))
    history, facts, checkpoints = train(
        model,
        stages=method.stages(),
        objective=lambda schedule: wrap(method.objective(schedule, seed, CPU)),
        fit=fit,
        sel=SEL,
        settings=settings,
        seed=seed,
        select=scores,
        state_file=state_file,
        fingerprint=fingerprint,
        **options,
    )
    if kept is not None:
        kept.append(checkpoints)
    if facts["best_epoch"].keys() == {"energy"}:
        facts |= {name: facts[name]["energy"] for name in ("best_epoch", "sel_score")}
    return model.state_dict(), history, {name: value for name, value in facts.items() if name != "seconds"}


def assert_same(first, second):
    weights, history, facts = first
    assert all(torch.equal(value, second[0][name]) for name, value in weights.items())
    pd.testing.assert_frame_equal(history, second[1], check_exact=True)
    assert facts == second[2]


class Spy:
    """An objective that lets a function see every call before it is done."""

    def __init__(self, goal, see):
        self.goal, self.see = goal, see

    def __call__(self, model, batch, step):
        self.see(model, batch, step)
        return self.goal(model, batch, step)

    def __getattr__(self, name):
        return getattr(self.goal, name)


def spying(see):
    return lambda goal: Spy(goal, see)


def die_after(saves):
    """A `progress` that ends the process after so many calls: with `save_minutes=0` there is a save before each."""
    calls = itertools.count(1)

    def progress(step, total, loss):
        if next(calls) == saves:
            raise Killed

    return progress
