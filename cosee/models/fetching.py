"""Bring a pretrained encoder into one form: float32 safetensors, config.json and tokenizer.json in a folder."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cosee.data.tokens import padding_id
from cosee.errors import InputError
from cosee.models.loading import FILES, LOADING, adapter_of, load_encoder, without_stdin
from cosee.models.text_ends import end_texts
from cosee.whole import whole_file

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

PROBE = "the film was good and the people liked it"
"""Plain words that any English vocabulary knows."""


def fetch_backbone(
    source: str,
    revision: str | None,
    target: Path,
    dropout: float | None = None,
    exit_state: str | None = None,
    pooler: str | None = None,
) -> None:
    """Load an encoder and its tokenizer from the hub or a local folder and save both to `target`.

    Args:
        source: repository on the hub, or an encoder folder.
        revision: commit on the hub; None for a local folder.
        target: folder to write; its files come last and whole, once everything is checked.
        dropout: share of hidden states and attention weights that is dropped in training; None: the encoder's own.
        exit_state: one of `cosee.models.backbones.EXIT_STATES`; None: that of the encoder's configuration, or its
            adapter's default.
        pooler: one of `cosee.models.poolers.POOLERS`; None: that of the encoder's configuration, or its adapter's
            default.

    Raises:
        InputError: no weights or tokenizer, damaged files, an unknown architecture, a tokenizer without the language, a
            pooler that is to be read but was never trained, dropout for an encoder without any.
    """
    local = revision is None
    if local:
        _check_local(Path(source))
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as name:
        partial = Path(name)
        encoder = load_encoder(source, revision, pooler)
        adapter = adapter_of(encoder.config, source)
        if dropout is not None:
            _set_dropout(encoder.config, adapter.dropouts, dropout, source)
        if exit_state is not None:
            encoder.config.exit_state = exit_state
        encoder.save_pretrained(partial)
        _save_tokenizer(source, revision, partial)
        if adapter.causal:
            end_texts(partial / "tokenizer.json", encoder.config.eos_token_id)
        check_tokenizer(partial / "tokenizer.json", source)
        padding, expected = padding_id(partial / "tokenizer.json"), encoder.config.pad_token_id
        if expected is not None and padding != expected:
            raise InputError(
                f"backbone: the tokenizer of {source} pads with the id {padding}, its encoder with {expected}; "
                "expected the tokenizer that belongs to the weights."
            )
        for file in FILES:
            with whole_file(target / file) as temporary:
                shutil.copyfile(partial / file, temporary)


def _save_tokenizer(source: str, revision: str | None, folder: Path) -> None:
    """Copy the encoder's own tokenizer.json; make one if there is only a vocabulary.

    transformers would rebuild the tokenizer by the defaults of its class and ignore settings of the file.
    """
    from transformers import AutoTokenizer
    from transformers.utils import cached_file

    location = {"revision": revision, "local_files_only": revision is None}
    try:
        own = cached_file(source, "tokenizer.json", _raise_exceptions_for_missing_entries=False, **location)
        if own is not None:
            shutil.copyfile(own, folder / "tokenizer.json")
        else:
            with without_stdin():
                AutoTokenizer.from_pretrained(source, **LOADING, **location).save_pretrained(folder)
    except Exception as error:  # transformers, tokenizers and the hub client each raise exceptions of their own
        raise InputError(f"backbone: the tokenizer of {source} cannot be loaded; check its files.") from error


def _set_dropout(config: "PreTrainedConfig", names: Sequence[str], dropout: float, source: str) -> None:
    """Set every share of dropout in an encoder's configuration.

    Raises:
        InputError: the encoder has no dropout, but some is requested.
    """
    if dropout and not names:
        raise InputError(f"dropout: {source} has none to set to {dropout:g}; leave `dropout` out of its entry.")
    for name in names:
        setattr(config, name, dropout)


def _check_local(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(f"backbone_dir: no folder {folder}; expected an encoder folder with config.json and weights.")
    for names, what in (
        (("config.json",), "configuration"),
        (("model.safetensors", "model.safetensors.index.json"), "weights"),
        (("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "spm.model"), "tokenizer"),
    ):
        if not any((folder / name).is_file() for name in names):
            raise InputError(f"backbone_dir: {folder} has no {what}; expected {' or '.join(names)} in it.")


def check_tokenizer(file: Path, source: str) -> None:
    """Check that plain English words are known: a tokenizer without its vocabulary fails silently.

    Raises:
        InputError: there is no fast tokenizer, it is damaged, or most plain words are unknown to it.
    """
    from tokenizers import Tokenizer

    if not file.is_file():
        raise InputError(f"backbone: the tokenizer of {source} has no fast form (tokenizer.json); expected one.")
    try:
        tokens = Tokenizer.from_file(str(file)).encode(PROBE, add_special_tokens=False).tokens
    except Exception as error:  # the Rust side raises a bare Exception
        raise InputError(f"backbone: the tokenizer.json of {source} is damaged; fetch it again.") from error
    unknown = sum(token in ("[UNK]", "<unk>") for token in tokens)
    if unknown > len(tokens) / 2:
        raise InputError(
            f"backbone: the tokenizer of {source} turns {unknown} of {len(tokens)} plain English words into unknown "
            "tokens; expected the vocabulary that belongs to the weights."
        )
