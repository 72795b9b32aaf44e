import json
import os
import platform
import re
import subprocess
from pathlib import Path

import torch

from cosee import NUMERICS_VERSION, provenance
from cosee.provenance import git_commit, hardware, package_versions, processor_name


def git(folder, *arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_versions_are_those_that_run():
    versions = package_versions()
    assert versions["torch"] == torch.__version__
    assert versions["python"] == platform.python_version()
    assert versions["numerics"] == str(NUMERICS_VERSION)


def test_a_package_that_is_missing_is_said_to_be(monkeypatch):
    monkeypatch.setattr("cosee.provenance.PACKAGES", ("surely-no-such-package",))
    assert package_versions()["surely-no-such-package"] == "not installed"


def test_the_commit_is_marked_where_files_were_changed(tmp_path):
    git(tmp_path, "init")
    (tmp_path / "a.txt").write_text("a")
    git(tmp_path, "add", "a.txt")
    git(tmp_path, "commit", "-m", "first")
    git(tmp_path, "tag", "-a", "v1", "-m", "a tag must not take the place of the commit")
    clean = git_commit(tmp_path)
    assert re.fullmatch("[0-9a-f]{40}", clean)
    (tmp_path / "a.txt").write_text("b")
    assert git_commit(tmp_path) == f"{clean}-dirty"


def test_there_is_no_commit_outside_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit(tmp_path) == "unknown"
    monkeypatch.setenv("PATH", "")
    assert git_commit(tmp_path) == "unknown"


def test_hardware_can_be_written_down():
    facts = hardware()
    assert facts["processor"] == processor_name() != ""
    assert facts["cores"] == os.cpu_count() and facts["threads"] == torch.get_num_threads()
    assert json.loads(json.dumps(facts)) == facts


def test_a_hidden_gpu_is_none(monkeypatch):
    monkeypatch.setattr(Path, "exists", lambda self: str(self) == "/proc/driver/nvidia/version")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not provenance.has_nvidia_driver()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert provenance.has_nvidia_driver()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert provenance.has_nvidia_driver()
