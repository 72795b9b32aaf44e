"""Code and pickles in a folder of somebody else are never run, whatever stands on stdin."""

import ast
import io
import json
import shutil
import sys
from pathlib import Path

import pytest
from helpers.tiny import write_backbone

from cosee.errors import InputError

ROOT = Path(__file__).parents[1]
EVIL = """
from pathlib import Path
Path(__file__ + ".ran").touch()
Path({marker!r}).touch()
class Evil:
    pass
"""


def loads(source):
    """Calls that load something of transformers, with their keyword arguments as text."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "from_pretrained":
            yield [ast.unparse(keyword) for keyword in node.keywords]


def test_every_load_says_that_no_foreign_code_may_run():
    found = [
        (path, keywords)
        for part in ("cosee", "workflow")
        for path in (ROOT / part).rglob("*.py")
        for keywords in loads(path.read_text())
    ]
    assert len(found) >= 4
    assert [path for path, keywords in found if "**LOADING" not in keywords] == []


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """An encoder folder with code of its own, a file that appears if it runs, and "y" on stdin."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 20))
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder, marker = tmp_path / "encoder", tmp_path / "ran"
    write_backbone(folder, "bert")
    (folder / "evil.py").write_text(EVIL.format(marker=str(marker)))
    return folder, marker


def change_json(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_an_encoder_with_code_is_refused(foreign):
    from cosee.models.loading import load_encoder

    folder, marker = foreign
    change_json(
        folder / "config.json", model_type="evil", auto_map={"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"}
    )
    with pytest.raises(InputError, match="no configuration of a known encoder"):
        load_encoder(folder)
    assert not marker.exists() and sys.stdin.readline() == "y\n"


def test_a_model_whose_tokenizer_has_code_is_refused(foreign, tmp_path):
    from cosee.cli.classify import load
    from cosee.export.hf_model import EarlyExitConfig, EarlyExitForSequenceClassification

    folder, marker = foreign
    encoder = json.loads((folder / "config.json").read_text())
    config = EarlyExitConfig(method="deebert", encoder=encoder, id2label={0: "no", 1: "yes"})
    EarlyExitForSequenceClassification(config).save_pretrained(tmp_path / "model")
    shutil.copy(folder / "evil.py", tmp_path / "model")
    code = {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}
    (tmp_path / "model/tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "Evil", "auto_map": code}))
    with pytest.raises(InputError, match="model: cannot be loaded"):
        load(tmp_path / "model")
    assert not marker.exists() and sys.stdin.readline() == "y\n"


def test_pickled_weights_are_not_read(foreign):
    import torch
    from safetensors.torch import load_file

    from cosee.models.loading import load_encoder

    folder, _ = foreign
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="the weights cannot be loaded"):
        load_encoder(folder)
