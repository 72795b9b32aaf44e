"""Models of the first k layers of a mini encoder, fine-tuned with the settings of the mini preset and evaluated."""

import copy
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cosee.data.batches import DeviceSplit
from cosee.data.glue import cut_splits
from cosee.data.tasks import TASKS
from cosee.data.tokens import encode
from cosee.io import read_yaml
from cosee.methods.finetune import Finetune
from cosee.models.loading import load_backbone
from cosee.models.prediction import predict
from cosee.plan.merging import with_defaults
from cosee.synthetic.steps.generation import generate
from cosee.synthetic.steps.shipped import copy_shipped
from cosee.training.loop import train
from cosee.training.settings import TrainingSettings

CONFIG = Path(__file__).parents[2] / "config"
CPU = torch.device("cpu")


def mini_preset() -> dict:
    """The mini preset, merged with the defaults."""
    return with_defaults(read_yaml(CONFIG / "defaults.yaml"), read_yaml(CONFIG / "config.yaml"))


def scores_by_layers(name: str, task: str, layers: Iterable[int], seeds: Iterable[int]) -> pd.DataFrame:
    """Dev accuracy by number of steps: columns task, layers, seed, steps, right, examples.

    Args:
        name: shipped encoder.
        task: name of a task.
        layers: the first so many layers are fine-tuned with a classifier on top.
        seeds: of the runs.
    """
    preset, rows = mini_preset(), []
    drawn = preset["data"]["generated"]
    sizes = {"train": drawn["train"]} | dict.fromkeys(TASKS[task].eval_splits.values(), drawn["validation"])
    frames = generate(task, drawn["seed"], sizes, drawn["label_noise"])
    protocol = preset["protocol"]
    cut = cut_splits(
        frames, TASKS[task], protocol["name"], protocol["sel_fraction"], protocol["sel_max"], grouped=False
    )
    with tempfile.TemporaryDirectory() as folder:
        copy_shipped(name, folder, 12)
        tokens = encode(cut, Path(folder) / "tokenizer.json", preset["data"]["max_length"])
        splits = {split: DeviceSplit(tokens[split], CPU) for split in ("fit", "sel", "dev")}
        backbone = load_backbone(folder)
        for depth in layers:
            for seed in seeds:
                method = Finetune(depth=depth)
                model = method.build(copy.deepcopy(backbone), TASKS[task].num_classes, seed)
                train(
                    model,
                    stages=method.stages(),
                    objective=lambda schedule, method=method, seed=seed: method.objective(schedule, seed, CPU),
                    fit=splits["fit"],
                    sel=splits["sel"],
                    settings=TrainingSettings(**preset["training"]),
                    seed=seed,
                    select=lambda found: {"none": _accuracy(found.logits, splits["sel"])},
                    state_file=Path(folder) / "state.safetensors",
                    fingerprint="",
                )
                logits = predict(model, splits["dev"], 512).logits
                right = logits[:, -1].argmax(axis=-1) == tokens["dev"].labels
                for steps in np.unique(tokens["dev"].steps):
                    chosen = tokens["dev"].steps == steps
                    rows.append((task, depth, seed, int(steps), int(right[chosen].sum()), int(chosen.sum())))
    return pd.DataFrame(rows, columns=["task", "layers", "seed", "steps", "right", "examples"])


def _accuracy(logits: np.ndarray, split: DeviceSplit) -> float:
    return float((logits[:, -1].argmax(axis=-1) == split.labels.numpy()).mean())
