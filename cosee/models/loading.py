"""Encoders from disk, from the hub or from a configuration only, each in its adapter."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from cosee.errors import InputError
from cosee.models.adapters import ADAPTERS
from cosee.models.backbones import Backbone, pooler_policy
from cosee.models.poolers import OWN, has_untrained_pooler
from cosee.models.randomness import torch_generator

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

FILES = ("config.json", "model.safetensors", "tokenizer.json")
"""Required files of a backbone folder."""


LOADING: Mapping[str, Any] = MappingProxyType({"trust_remote_code": False})
"""Arguments of every `from_pretrained`: unset, transformers asks on stdin whether to run code that a folder holds."""


@contextmanager
def without_stdin() -> Iterator[None]:
    """Let nothing in the block read what is piped into this process: a library that asks gets no answer."""
    before = sys.stdin
    with open(os.devnull) as nothing:
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = before


def check_finite(model: nn.Module, where: str) -> None:
    """Check that all weights are finite numbers.

    Raises:
        InputError: one is not; names it.
    """
    for name, value in model.state_dict().items():
        if value.is_floating_point() and value.device.type != "meta" and not value.isfinite().all():
            raise InputError(f"{where}: the weights of {name} are not all finite numbers; fetch or train them again.")


def check_folder(folder: str | Path) -> None:
    """Check that a backbone folder holds the files that `load_backbone` and tokenization need.

    Raises:
        InputError: the folder or one of its files is missing.
    """
    folder = Path(folder)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise InputError(f"{folder}: no {missing[0]}; expected an encoder folder with {', '.join(FILES)}.")


def check_layers(folder: str | Path, layers: int) -> None:
    """Check that an encoder has the depth given in the configuration.

    Raises:
        InputError: it has another number of layers, a file is missing, or there is no adapter for its type.
    """
    actual = encoder_configuration(folder).num_hidden_layers
    if actual != layers:
        raise InputError(
            f"{folder}: the encoder has {actual} layers, the configuration has `layers: {layers}`; correct it."
        )


def adapter_of(config: object, where: str) -> type[Backbone]:
    """The adapter for a transformers configuration.

    Args:
        config: the configuration.
        where: begins the message of an error.

    Raises:
        InputError: there is none for its type.
    """
    model_type = getattr(config, "model_type", None)
    if model_type not in ADAPTERS:
        raise InputError(
            f"{where}: encoders of type {model_type!r} have no adapter; expected one of {', '.join(ADAPTERS)}."
        )
    return ADAPTERS[model_type]


def encoder_configuration(folder: str | Path) -> "PreTrainedConfig":
    """The transformers configuration of an encoder folder.

    Raises:
        InputError: a file is missing, or there is no adapter for the type of encoder.
    """
    check_folder(folder)
    return _configuration(folder, str(folder), local_files_only=True)


def _configuration(source: str | Path, where: str, **location: Any) -> "PreTrainedConfig":
    from transformers import AutoConfig

    try:
        with without_stdin():
            config = AutoConfig.from_pretrained(source, **LOADING, **location)
    except Exception as error:  # transformers, safetensors and the hub client each raise exceptions of their own
        raise InputError(f"{where}: no configuration of a known encoder ({_reason(error)}).") from error
    adapter_of(config, where)
    return config


def load_encoder(source: str | Path, revision: str | None = None, pooler: str | None = None) -> nn.Module:
    """Load a whole pretrained encoder in float32, from a local folder or from the hub at a revision.

    Args:
        source: encoder folder as `save_pretrained` writes it, or a repository on the hub.
        revision: commit on the hub; None for a local folder.
        pooler: one of `cosee.models.poolers.POOLERS`; None: that of the encoder's configuration, or its adapter's
            default. Under policies that do not read the encoder's own pooler it is not loaded.

    Raises:
        InputError: it cannot be read, its type has no adapter, weights (the pooler's, say) are not in the file
            (transformers would draw them at random) or are not finite numbers, or the pooler that exits are to read was
            never trained.
    """
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    where = f"backbone: {source}" if revision is None else f"backbone: {source} at {revision[:12]}"
    location = {"revision": revision, "local_files_only": revision is None}
    config = _configuration(source, where, **location)
    if pooler is not None:
        config.pooler = pooler
    if _policy(config, where) in OWN and not adapter_of(config, where).own_poolers:
        raise InputError(
            f"{where}: encoders of type {config.model_type!r} have no pooler of their own; "
            "set `pooler` to fresh, norm or none, in the configuration's entry or the encoder's config.json."
        )
    settings = _settings(config, where)
    try:
        with without_stdin():
            encoder, info = AutoModel.from_pretrained(
                source,
                config=config,
                output_loading_info=True,
                use_safetensors=True if revision is None else None,  # of a folder no pickle is read at all
                **LOADING,
                **settings,
                **location,
            )
    except Exception as error:
        raise InputError(f"{where}: the weights cannot be loaded ({_reason(error)}); fetch them again.") from error
    if info["missing_keys"]:
        raise InputError(
            f"{where}: the weights lack {min(info['missing_keys'])}; "
            "expected those of a whole pretrained encoder, its pooler included where `pooler` is pretrained."
        )
    check_finite(encoder, where)
    if _policy(config, where) == "pretrained" and has_untrained_pooler(encoder):
        raise InputError(
            f"{where}: its pooler was never trained (all biases are zero); "
            "set `pooler` to fresh, norm or none, in the configuration's entry or the encoder's config.json."
        )
    return encoder


def _policy(config: "PreTrainedConfig", where: str) -> str:
    """The pooler policy of a configuration, that of its adapter if it names none."""
    return pooler_policy(config, adapter_of(config, where).default_pooler)


def _settings(config: "PreTrainedConfig", where: str) -> dict[str, Any]:
    """Arguments by which transformers makes an encoder: float32, its adapter's attention, a pooler if it is read."""
    adapter = adapter_of(config, where)
    settings: dict[str, Any] = {"dtype": torch.float32}
    if adapter.attention is not None:
        settings["attn_implementation"] = adapter.attention
    if adapter.own_poolers:
        settings["add_pooling_layer"] = _policy(config, where) in OWN
    return settings


def _reason(error: Exception) -> str:
    """First line of an error's message, or the name of its type if the message is empty."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _with_floats(value: Any) -> Any:
    """A configuration as read from JSON, in which transformers writes an infinite number as a mapping (Mamba-2)."""
    if isinstance(value, Mapping):
        return float(value["__float__"]) if "__float__" in value else {k: _with_floats(v) for k, v in value.items()}
    return [_with_floats(item) for item in value] if isinstance(value, list) else value


def load_backbone(folder: str | Path) -> Backbone:
    """Load a backbone from a local encoder folder, in float32.

    Raises:
        InputError: a file is missing or corrupt, the type is unknown, or weights are missing.
    """
    check_folder(folder)
    encoder = load_encoder(folder)
    return adapter_of(encoder.config, str(folder))(encoder)


def backbone_of_run(folder: str | Path, seed: int) -> Backbone:
    """The backbone that a run starts from. A fresh pooler is drawn here, by the seed only: the same for all methods.

    Args:
        folder: encoder folder.
        seed: of the run.

    Raises:
        InputError: as `load_backbone` does.
    """
    backbone = load_backbone(folder)
    backbone.draw_pooler(torch_generator(seed, "pooler"))
    return backbone


def empty_backbone(config: Mapping[str, Any]) -> Backbone:
    """A float32 backbone of a transformers configuration, into which weights are to be loaded.

    Its initial weights come from torch's global generator; on the meta device it has none.
    """
    from transformers import AutoConfig, AutoModel

    parsed = AutoConfig.for_model(**_with_floats(config))
    encoder = AutoModel.from_config(parsed, **_settings(parsed, "backbone"))
    return adapter_of(parsed, "backbone")(encoder)
