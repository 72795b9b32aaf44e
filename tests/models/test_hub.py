"""Files of an encoder from the hub, by a stand-in for its client."""

import subprocess
import sys

import huggingface_hub
import pytest

from cosee.errors import InputError
from cosee.models.fetching import fetch_backbone
from cosee.models.hub import fetch_files


def test_the_files_are_those_that_an_encoder_is_read_from(tiny_bert, tmp_path, monkeypatch):
    def copied(repository, revision, local_dir, allow_patterns):
        assert (repository, revision) == ("org/encoder", "0" * 40)
        local_dir.mkdir()
        for file in tiny_bert.iterdir():
            if any(file.match(pattern) for pattern in allow_patterns):
                (local_dir / file.name).write_bytes(file.read_bytes())

    monkeypatch.setattr(huggingface_hub, "snapshot_download", copied)
    fetch_files("org/encoder", "0" * 40, tmp_path / "hub")
    fetch_backbone(str(tmp_path / "hub"), None, tmp_path / "bert")
    fetch_backbone(str(tiny_bert), None, tmp_path / "same")
    assert (tmp_path / "bert/model.safetensors").read_bytes() == (tmp_path / "same/model.safetensors").read_bytes()


def test_a_hub_that_cannot_be_reached_is_one_sentence(tmp_path, monkeypatch):
    def unreachable(*args, **kwargs):
        raise OSError("no route to host\nand more")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(
        InputError, match=r"cannot fetch org/encoder at 000000000000 \(no route to host\); check"
    ) as caught:
        fetch_files("org/encoder", "0" * 40, tmp_path)
    assert "\n" not in str(caught.value)


def test_fetching_needs_no_torch():
    code = (
        "import sys; sys.modules['torch'] = None; import cosee.models.hub, cosee.data.glue, huggingface_hub, datasets"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
