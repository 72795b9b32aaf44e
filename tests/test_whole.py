"""Files and folders appear whole or not at all, whatever ends their writing; what is left behind is removed."""

import errno
import multiprocessing
import os
import stat
import threading

import pandas as pd
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from cosee.errors import InputError
from cosee.io import write_frame, write_text
from cosee.whole import process_name, remove_abandoned, whole_file, whole_folder


def test_a_writer_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half"), whole_file(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError("half")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_appears_only_at_the_end_and_keeps_its_suffix(tmp_path):
    path = tmp_path / "fig.svg"
    with whole_file(path) as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".svg" and temporary.parent == path.parent
        assert not path.exists()
    assert path.read_text() == "new"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
    ids=["disk", "quota", "safetensors"],
)
def test_a_full_disk_is_one_sentence(tmp_path, error):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")
    with pytest.raises(InputError, match=r"model\.safetensors: the disk is full"), whole_file(path) as temporary:
        temporary.write_bytes(b"ne")
        raise error
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(OSError, match=os.strerror(errno.EIO)), whole_file(tmp_path / "a.txt"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_weights_are_as_readable_as_any_other_file(tmp_path):
    with whole_file(tmp_path / "a.safetensors") as temporary:
        save_file({"x": torch.ones(2)}, temporary)
    write_text(tmp_path / "a.txt", "a")
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "a.txt").stat().st_mode


def test_a_folder_is_written_whole_or_not_at_all(tmp_path):
    with whole_folder(tmp_path / "new" / "folder") as folder:
        (folder / "a.txt").write_text("a")
        (folder / "a.txt").chmod(0o600)
        (folder.parent / "beside.txt").touch()
    assert [entry.name for entry in (tmp_path / "new" / "folder").iterdir()] == ["a.txt"]
    mode = (tmp_path / "new" / "beside.txt").stat().st_mode
    assert (tmp_path / "new" / "folder" / "a.txt").stat().st_mode == mode
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "other") as folder:
        (folder / "a.txt").touch()
        raise KeyboardInterrupt
    with pytest.raises(InputError, match="exists already"), whole_folder(tmp_path / "new"):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["new"]


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe, got = tmp_path / "pipe.csv", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    write_frame(pipe, pd.DataFrame({"x": [1, 2]}))
    reader.join()
    assert got == ["x\n1\n2\n"] and stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_full_device_is_refused_and_stays_a_device():
    with pytest.raises(InputError, match=r"^/dev/full: the disk is full"):
        write_text("/dev/full", "much")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_a_symbolic_link_stays_and_its_target_is_replaced_whole(tmp_path):
    target, link = tmp_path / "there" / "a.txt", tmp_path / "link.txt"
    target.parent.mkdir()
    target.write_text("old")
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink() and target.read_text() == "new\n"
    assert list(target.parent.iterdir()) == [target]


def test_a_folder_is_refused_as_a_file(tmp_path):
    with pytest.raises(InputError, match=f"^{tmp_path}: is a folder"):
        write_text(tmp_path, "x")


def test_errors_name_the_file_that_was_asked_for(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    monkeypatch.setattr(os, "replace", failing(errno.EROFS))
    with pytest.raises(InputError, match=f"^{path}: cannot be written"):
        write_text(path, "x")
    with pytest.raises(InputError, match=f"^{tmp_path / 'f'}: the disk is full"), whole_folder(tmp_path / "f"):
        failing(errno.ENOSPC)()
    assert list(tmp_path.iterdir()) == []


def failing(code):
    def fail(*_):
        raise OSError(code, os.strerror(code), "/inner/.name.partial")

    return fail


def test_partial_files_of_processes_that_are_gone_are_removed(tmp_path):
    gone = multiprocessing.get_context("fork").Process(target=int)
    gone.start()
    gone.join()
    host = process_name().rpartition("-")[0]
    (tmp_path / "figures").mkdir()
    dead, alive, other = (
        tmp_path / "figures" / f".fig1.{who}.partial.svg"
        for who in (f"{host}-{gone.pid}", process_name(), f"{host}x-{gone.pid}")
    )
    old = tmp_path / f".model.{host}x-1.partial"
    old.mkdir()
    for path in (dead, alive, other, old / "file"):
        path.write_text("half")
    os.utime(old, (0, 0))
    remove_abandoned(tmp_path)
    assert not dead.exists() and not old.exists()
    assert alive.exists() and other.exists()
