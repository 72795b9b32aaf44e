"""`cosee config` prints the whole configuration, or what is wrong with it."""

import pytest
import yaml
from helpers.commands import arguments_of
from helpers.presets import CONFIGS, preset

from cosee.cli import config as command
from cosee.cli import main
from cosee.plan.configuration import configuration


@pytest.fixture(autouse=True)
def in_project(monkeypatch):
    monkeypatch.chdir(CONFIGS.parent)


@pytest.mark.parametrize(
    ("example", "files"), list(zip(command.EXAMPLES, [("config",), ("glue-small", "glue-small-cpu")], strict=True))
)
def test_what_is_printed_is_the_configuration(example, files, capsys):
    assert main(arguments_of(example)) == 0
    assert configuration(yaml.safe_load(capsys.readouterr().out)) == preset(*files)


def test_parts_that_do_not_fit_together_are_refused(tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text("reference_variant: nothing")
    assert main(["config", str(tmp_path / "mine.yaml")]) == 2
    assert "config: reference_variant names 'nothing'" in capsys.readouterr().err


def test_defaults_may_lie_elsewhere(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["config"]) == 2
    assert "config/config.yaml" in capsys.readouterr().err
    assert main(["config", "--defaults", str(CONFIGS / "defaults.yaml")]) == 0
