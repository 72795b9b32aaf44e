"""Bring a pretrained encoder into one form: float32 safetensors, config.json and tokenizer.json in a folder."""

import shutil
from pathlib import Path

import torch

from cosee.backbone import FILES, load_backbone
from cosee.errors import InputError

PROBE = "the film was good and the people liked it"
"""Plain words that any English vocabulary knows."""


def fetch_backbone(source: str, revision: str | None, target: Path) -> None:
    """Load an encoder and its tokenizer from the hub or a local folder and save both to `target`.

    Args:
        source: repository on the hub, or an encoder folder.
        revision: commit on the hub; None for a local folder.
        target: folder to write; complete or not there at all.

    Raises:
        InputError: no weights or tokenizer, damaged files, an unknown architecture, a tokenizer without the language.
    """
    from transformers import AutoModel, AutoTokenizer

    local = revision is None
    if local:
        _check_local(Path(source))
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        encoder = AutoModel.from_pretrained(source, revision=revision, dtype=torch.float32, local_files_only=local)
        encoder.save_pretrained(partial)
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision, local_files_only=local, use_fast=True)
        tokenizer.save_pretrained(partial)
    except Exception as error:  # transformers, safetensors and the hub client each raise kinds of their own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        where = f"{source}" if local else f"{source} at {revision}"
        raise InputError(
            f"backbone: cannot load {where} ({reason}); check its files, "
            "or name a local encoder folder with --config backbone_dir=FOLDER."
        ) from error
    check_tokenizer(partial / "tokenizer.json", source)
    load_backbone(partial)
    target.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (partial / name).replace(target / name)
    shutil.rmtree(partial)


def _check_local(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(f"backbone_dir: no folder {folder}; expected an encoder folder with config.json and weights.")
    for names, what in (
        (("config.json",), "configuration"),
        (("model.safetensors", "model.safetensors.index.json"), "weights"),
        (("tokenizer.json", "vocab.txt", "spiece.model"), "tokenizer"),
    ):
        if not any((folder / name).is_file() for name in names):
            raise InputError(f"backbone_dir: {folder} has no {what}; expected {' or '.join(names)} in it.")


def check_tokenizer(file: Path, source: str) -> None:
    """Check that plain English words are known: a tokenizer without its vocabulary fails in silence.

    Raises:
        InputError: there is no fast tokenizer, or most plain words are unknown to it.
    """
    from tokenizers import Tokenizer

    if not file.is_file():
        raise InputError(f"backbone: the tokenizer of {source} has no fast form (tokenizer.json); expected one.")
    tokens = Tokenizer.from_file(str(file)).encode(PROBE, add_special_tokens=False).tokens
    unknown = sum(token in ("[UNK]", "<unk>") for token in tokens)
    if unknown > len(tokens) / 2:
        raise InputError(
            f"backbone: the tokenizer of {source} turns {unknown} of {len(tokens)} plain English words into unknown "
            "tokens; expected the vocabulary that belongs to the weights."
        )
