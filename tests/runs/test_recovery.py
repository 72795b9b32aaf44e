import os

import pytest

from cosee.runs import recovery


@pytest.fixture
def folder(tmp_path):
    for name in ("logits-dev.npz", "run.json"):
        (tmp_path / name).write_text(name)
    recovery.keep(tmp_path, "this", ["logits-dev.npz", "run.json"])
    return tmp_path


def test_kept_files_take_no_space(folder):
    assert os.stat(folder / "run.json").st_nlink == 2


def test_without_hard_links_they_are_copied(tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(os, "link", refused)
    (tmp_path / "run.json").write_text("a")
    recovery.keep(tmp_path, "this", ["run.json"])
    (tmp_path / "run.json").unlink()
    assert recovery.recover(tmp_path, "this") and (tmp_path / "run.json").read_text() == "a"


def test_what_a_killed_process_has_half_written_is_replaced(folder):
    (folder / "run.json").unlink()
    (folder / "logits-dev.npz").unlink()
    (folder / "logits-dev.npz").write_text("half")
    assert recovery.recover(folder, "this")
    assert [(folder / name).read_text() for name in ("logits-dev.npz", "run.json")] == ["logits-dev.npz", "run.json"]


@pytest.mark.parametrize("damage", ["another run", "a file is gone", "a file is cut", "no record", "a broken record"])
def test_what_is_not_this_run_whole_is_removed(damage, folder):
    kept, identity = folder / recovery.KEPT, "this"
    if damage == "another run":
        identity = "another"
    elif damage == "a file is gone":
        (kept / "logits-dev.npz").unlink()
    elif damage == "a file is cut":
        (kept / "logits-dev.npz").write_text("cut")
    elif damage == "no record":
        (kept / recovery.RECORD).unlink()
    else:
        (kept / recovery.RECORD).write_text("{")
    assert not recovery.recover(folder, identity) and not kept.exists()


def test_a_finished_workflow_keeps_nothing_twice(folder):
    recovery.discard_all(folder.parent)
    assert not (folder / recovery.KEPT).exists() and os.stat(folder / "run.json").st_nlink == 1
