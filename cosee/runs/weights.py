"""Weights of runs: saving them, and loading them into a model."""

from pathlib import Path
from textwrap import shorten

import torch

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.io import read_json
from cosee.methods import make_method
from cosee.models.loading import empty_backbone
from cosee.models.multi_exit import MultiExitModel
from cosee.runs.stored import read_run
from cosee.whole import whole_file


def save_weights(path: Path, model: torch.nn.Module) -> None:
    """Write a model's weights as safetensors."""
    from safetensors.torch import save_file

    with whole_file(path) as temporary:
        save_file({name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}, temporary)


def load_weights(model: torch.nn.Module, path: Path) -> None:
    """Load a run's weights into its model.

    Raises:
        InputError: the file is missing, damaged or of another model.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise InputError(
            f"{path}: no such file; name the variant in `keep_weights` of the configuration, and its runs "
            "keep their weights."
        )
    try:
        model.load_state_dict(load_file(path))
    except SafetensorError as error:
        raise InputError(f"{path}: damaged ({error}); train the run again.") from error
    except RuntimeError as error:  # names or shapes that differ
        detail = shorten(str(error).splitlines()[1], 150, placeholder=" …")
        raise InputError(f"{path}: does not fit the encoder ({detail}); give the one the run started from.") from error


def load_run(folder: Path, backbone: Path) -> MultiExitModel:
    """The trained model of a finished run, on the CPU.

    Args:
        folder: of the run.
        backbone: encoder folder that it started from, of which only the configuration is read.

    Raises:
        InputError: the run has no weights, or they do not fit the encoder.
    """
    facts = read_run(folder)
    method = make_method(facts["run"]["method"], facts["method"])
    empty = empty_backbone(read_json(backbone / "config.json"))
    model = method.build(empty, TASKS[facts["run"]["task"]].num_classes, facts["run"]["seed"])
    load_weights(model, folder / "model.safetensors")
    return model
