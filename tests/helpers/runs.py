"""Runs of tiny models from their description to their files."""

import torch
from helpers.tiny import LAYERS, PAD, token_split

from cosee.plan.runs import Run
from cosee.runs.execution import RunInputs, train_and_predict

TRAINING = {"learning_rate": 0.01, "batch_size": 8, "epochs": 2, "eval_batch_size": 16}


COSEE = Run("bert", "rte", "cosee", "cosee-energy", "energy", "energy", "cosee", {"signal": "energy"}, TRAINING, seed=3)


HALF = Run("bert", "rte", "half", "half", None, "energy", "finetune", {"depth": 2}, TRAINING, seed=3)


TOKENS = {name: token_split(rows, seed) for seed, (name, rows) in enumerate({"fit": 40, "sel": 24, "dev": 20}.items())}


PROTOCOL = {"name": "heldout", "criterion": "area"}


def do(run, folder, backbone, monkeypatch, tokens=TOKENS, **changes):
    """Train a run in a folder of its own; gives where its files lie."""
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    settings = {
        "protocol": PROTOCOL,
        "splits": ["fit", "sel", "dev"],
        "keep_weights": True,
        "device": torch.device("cpu"),
    }
    inputs = RunInputs(tokens, backbone, LAYERS, PAD)
    train_and_predict(run, inputs, **settings | changes)
    return folder / run.folder
