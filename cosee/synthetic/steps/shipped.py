"""The mini encoders that come with the package, and how they are made anew.

`encoders/NAME/` is an ordinary encoder folder (config.json, model.safetensors in float16, tokenizer.json) with a file
provenance.json: recipe, losses, seconds, versions and digests.
"""

import copy
import re
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.numpy import save_file

from cosee.errors import InputError
from cosee.io import read_json, whole_file, write_json
from cosee.provenance import file_digest, git_commit, hardware, package_versions

ENCODERS = Path(__file__).parent / "encoders"
NAMES = ("mini-bert", "mini-albert")
FILES = ("config.json", "model.safetensors", "tokenizer.json")


def copy_shipped(name: str, folder: str | Path, layers: int) -> None:
    """Copy a shipped encoder, or its first layers, into a folder.

    Args:
        name: one of `NAMES`.
        folder: gets config.json, model.safetensors and tokenizer.json.
        layers: how many layers are kept.

    Raises:
        InputError: there is no such encoder, or it has fewer layers.
    """
    source, folder = ENCODERS / name, Path(folder)
    if name not in NAMES or not source.is_dir():
        raise InputError(f"encoder: {name!r} does not come with the package; expected one of {', '.join(NAMES)}.")
    config = read_json(source / "config.json")
    if layers > config["num_hidden_layers"]:
        raise InputError(f"layers: {layers} of {name} requested, but it has {config['num_hidden_layers']}.")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", config | {"num_hidden_layers": layers})
    with safe_open(source / "model.safetensors", "np") as file, whole_file(folder / "model.safetensors") as temporary:
        kept = {key: file.get_tensor(key) for key in file.keys() if _layer(key) < layers}  # noqa: SIM118
        save_file(kept, temporary, {"format": "pt"})
    for extra in ("tokenizer.json", "tokenizer_config.json"):
        with whole_file(folder / extra) as temporary:
            temporary.write_bytes((source / extra).read_bytes())


def _layer(name: str) -> int:
    """Number of the layer that a parameter of BERT belongs to; -1 for parameters outside layers, and for ALBERT's."""
    found = re.match(r"encoder\.layer\.(\d+)\.", name)
    return int(found[1]) if found else -1


def make_encoders(folder: str | Path, *, seed: int = 0, threads: int = 1, share: float = 1.0) -> None:
    """Pre-train both encoders and write them to `folder`/NAME.

    Args:
        folder: gets a folder per encoder, and while it is not finished a state from which it is resumed.
        seed: of weights and examples.
        threads: of torch; the result depends on it.
        share: of the steps of every stage, for a quick try.
    """
    import torch

    from cosee.synthetic.steps.encoder import MAX_TOKENS, Form, as_albert
    from cosee.synthetic.steps.pretraining import BATCH_SIZE, STAGES, shortened, teach
    from cosee.synthetic.steps.vocabulary import CLS, PAD, SEP, build_tokenizer, save_tokenizer

    torch.set_num_threads(threads)
    folder, tokenizer = Path(folder), build_tokenizer()
    folder.mkdir(parents=True, exist_ok=True)
    form = Form(tokenizer.get_vocab_size(), PAD, CLS, SEP)
    stages = [shortened(stage, share) for stage in STAGES]
    commit = git_commit(Path(__file__).parent)  # before anything is written
    names = {stages[-2].name: "mini-albert", stages[-1].name: "mini-bert"}

    def finished(stage: Any, encoder: Any, history: list[dict[str, Any]]) -> None:
        name = names.get(stage.name)
        if name is None:
            return
        made = as_albert(encoder, form, stage.layers) if stage.shared else encoder
        _save(folder / name, made)
        save_tokenizer(folder / name, tokenizer, MAX_TOKENS)
        past = stages[: stages.index(stage) + 1]
        facts = {
            "recipe": {"seed": seed, "batch_size": BATCH_SIZE, "threads": threads, "stages": list(map(asdict, past))},
            "seconds": history[-1]["seconds"],
            "losses": history,
            "digests": {file: file_digest(folder / name / file) for file in FILES},
            "hardware": hardware(),
            "versions": package_versions(),
            "commit": commit,
        }
        write_json(folder / name / "provenance.json", facts)

    state = folder / "state.safetensors"
    teach(stages, form, tokenizer.get_vocab(), seed=seed, state_file=state, finished=finished)
    state.unlink(missing_ok=True)


def _save(folder: Path, encoder: Any) -> None:
    """Write an encoder in float16."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        copy.deepcopy(encoder).half().eval().save_pretrained(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("config.json", "model.safetensors"):
            with whole_file(folder / name) as target:
                target.write_bytes((Path(temporary) / name).read_bytes())
