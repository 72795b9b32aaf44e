"""Files of a pretrained encoder from the hub, as they are: needs network, but no torch.

On a cluster they are fetched where there is network, and read (`cosee.models.fetching`) where there is torch.
"""

from pathlib import Path

from cosee.errors import InputError

PATTERNS = ("config.json", "*.safetensors", "model.safetensors.index.json", "tokenizer*.json", "vocab.txt", "*.model")
"""Names of the files that an encoder and its tokenizer are read from."""


def fetch_files(repository: str, revision: str, folder: str | Path) -> None:
    """Fetch the files of an encoder into a folder.

    Args:
        repository: name on the hub.
        revision: its commit.
        folder: the folder to write.

    Raises:
        InputError: the hub cannot be reached or does not have the encoder.
    """
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(repository, revision=revision, local_dir=folder, allow_patterns=list(PATTERNS))
    except Exception as error:  # the hub client raises a dozen kinds; all mean the same to the reader
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(
            f"backbone: cannot fetch {repository} at {revision[:12]} ({reason}); "
            "check the network, or name a local folder with --config backbone_dir=FOLDER."
        ) from error
