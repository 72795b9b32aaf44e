import errno
import json
import multiprocessing
import os
import stat
import threading

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from cosee import io
from cosee.errors import InputError

WRITERS = {
    "a.npz": lambda path, n: io.save_arrays(path, {"x": np.arange(100 * n), "y": np.ones((n, 2))}),
    "a.json": lambda path, n: io.write_json(path, {"x": list(range(n)), "name": "β"}),
    "a.yaml": lambda path, n: io.write_yaml(path, {"x": list(range(n)), "name": "β"}),
    "a.csv": lambda path, n: io.write_frame(path, pd.DataFrame({"x": range(n), "name": "none"})),
    "a.parquet": lambda path, n: io.write_frame(path, pd.DataFrame({"x": range(n), "name": "none"})),
}
READERS = {
    "a.npz": io.load_arrays,
    "a.json": io.read_json,
    "a.yaml": io.read_yaml,
    "a.csv": io.read_frame,
    "a.parquet": io.read_frame,
}
EACH = pytest.mark.parametrize("name", WRITERS)


@EACH
def test_what_is_written_is_read(name, tmp_path):
    WRITERS[name](tmp_path / name, 3)
    content = READERS[name](tmp_path / name)
    if name == "a.npz":
        assert np.array_equal(content["x"], np.arange(300)) and np.array_equal(content["y"], np.ones((3, 2)))
    elif name in ("a.json", "a.yaml"):
        assert content == {"x": [0, 1, 2], "name": "β"}
    else:
        assert content.to_dict("list") == {"x": [0, 1, 2], "name": ["none"] * 3}


@EACH
def test_folders_are_made_and_nothing_else_is_left(name, tmp_path):
    WRITERS[name](tmp_path / "new" / "folder" / name, 3)
    assert [file.name for file in (tmp_path / "new" / "folder").iterdir()] == [name]


@EACH
def test_an_interrupted_write_leaves_the_old_file_and_no_other(name, tmp_path, monkeypatch):
    WRITERS[name](tmp_path / name, 3)
    before = (tmp_path / name).read_bytes()

    def interrupted(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        WRITERS[name](tmp_path / name, 9)
    assert (tmp_path / name).read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_writer_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half"), io.whole_file(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError("half")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_appears_only_at_the_end_and_keeps_its_suffix(tmp_path):
    path = tmp_path / "fig.svg"
    with io.whole_file(path) as temporary:
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
    with pytest.raises(InputError, match=r"model\.safetensors: the disk is full"), io.whole_file(path) as temporary:
        temporary.write_bytes(b"ne")
        raise error
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(OSError, match=os.strerror(errno.EIO)), io.whole_file(tmp_path / "a.txt"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_weights_are_as_readable_as_any_other_file(tmp_path):
    with io.whole_file(tmp_path / "a.safetensors") as temporary:
        save_file({"x": torch.ones(2)}, temporary)
    io.write_text(tmp_path / "a.txt", "a")
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "a.txt").stat().st_mode


@EACH
def test_a_missing_file_is_named(name, tmp_path):
    with pytest.raises(InputError, match=f"{name}: no such file"):
        READERS[name](tmp_path / name)


@pytest.mark.parametrize("name", ["a.npz", "a.parquet"])
@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.7, 0.99])
def test_a_truncated_binary_file_is_named(name, share, tmp_path):
    WRITERS[name](tmp_path / name, 50)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=rf"{name}: truncated"):
        READERS[name](tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b'{"x": [0, 1'),
        ("a.json", b"\xff\xfe"),
        ("a.yaml", b"x: [0, 1"),
        ("a.yaml", b"\xff\xfe\xff"),
        ("a.yaml", b"- only\n- a list\n"),
        ("a.yaml", b""),
        ("a.csv", b""),
        ("a.csv", b"x,y\n1,2\n1,2,3\n"),
        ("a.csv", b"x,y\n\xff\xfe,1\n"),
        ("a.npz", b"PK\x03\x04 and then something else"),
    ],
)
def test_a_damaged_file_is_named(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name) as caught:
        READERS[name](tmp_path / name)
    assert "\n" not in str(caught.value)


def test_pickles_and_single_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{"code": "runs"}], dtype=object))
    with pytest.raises(InputError, match=r"a\.npz"):
        io.load_arrays(tmp_path / "a.npz")
    with open(tmp_path / "b.npz", "wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(InputError, match=r"b\.npz"):
        io.load_arrays(tmp_path / "b.npz")


def test_csv_keeps_floats_and_words_as_they_are(tmp_path):
    floats = np.random.default_rng(0).random(500) * 10.0 ** np.random.default_rng(1).integers(-12, 12, 500)
    frame = pd.DataFrame({"x": floats, "exit_rule": ["none", "NA", "null", "nan", "energy"] * 100})
    frame.loc[3, "x"] = np.nan
    io.write_frame(tmp_path / "a.csv", frame)
    pd.testing.assert_frame_equal(io.read_frame(tmp_path / "a.csv"), frame, check_exact=True)


def test_text_files_end_in_one_newline(tmp_path):
    io.write_text(tmp_path / "a.txt", "a\n\n\n")
    assert (tmp_path / "a.txt").read_bytes() == b"a\n"
    io.write_json(tmp_path / "a.json", {"b": 1, "a": tmp_path})
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": 1, "a": str(tmp_path)}
    io.write_yaml(tmp_path / "a.yaml", {"b": 1, "a": 2})
    assert (tmp_path / "a.yaml").read_text() == "b: 1\na: 2\n"


def test_a_folder_is_written_whole_or_not_at_all(tmp_path):
    with io.whole_folder(tmp_path / "new" / "folder") as folder:
        (folder / "a.txt").write_text("a")
        (folder / "a.txt").chmod(0o600)
        (folder.parent / "beside.txt").touch()
    assert [entry.name for entry in (tmp_path / "new" / "folder").iterdir()] == ["a.txt"]
    mode = (tmp_path / "new" / "beside.txt").stat().st_mode
    assert (tmp_path / "new" / "folder" / "a.txt").stat().st_mode == mode
    with pytest.raises(KeyboardInterrupt), io.whole_folder(tmp_path / "other") as folder:
        (folder / "a.txt").touch()
        raise KeyboardInterrupt
    with pytest.raises(InputError, match="exists already"), io.whole_folder(tmp_path / "new"):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["new"]


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe, got = tmp_path / "pipe.csv", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    io.write_frame(pipe, pd.DataFrame({"x": [1, 2]}))
    reader.join()
    assert got == ["x\n1\n2\n"] and stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_full_device_is_refused_and_stays_a_device():
    with pytest.raises(InputError, match=r"^/dev/full: the disk is full"):
        io.write_text("/dev/full", "much")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_a_symbolic_link_stays_and_its_target_is_replaced_whole(tmp_path):
    target, link = tmp_path / "there" / "a.txt", tmp_path / "link.txt"
    target.parent.mkdir()
    target.write_text("old")
    link.symlink_to(target)
    io.write_text(link, "new")
    assert link.is_symlink() and target.read_text() == "new\n"
    assert list(target.parent.iterdir()) == [target]


def test_a_folder_is_refused_as_a_file(tmp_path):
    with pytest.raises(InputError, match=f"^{tmp_path}: is a folder"):
        io.write_text(tmp_path, "x")


def test_errors_name_the_file_that_was_asked_for(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    monkeypatch.setattr(os, "replace", failing(errno.EROFS))
    with pytest.raises(InputError, match=f"^{path}: cannot be written"):
        io.write_text(path, "x")
    with pytest.raises(InputError, match=f"^{tmp_path / 'f'}: the disk is full"), io.whole_folder(tmp_path / "f"):
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
    host = io._process().rpartition("-")[0]
    (tmp_path / "figures").mkdir()
    dead, alive, other = (
        tmp_path / "figures" / f".fig1.{who}.partial.svg"
        for who in (f"{host}-{gone.pid}", io._process(), f"{host}x-{gone.pid}")
    )
    old = tmp_path / f".model.{host}x-1.partial"
    old.mkdir()
    for path in (dead, alive, other, old / "file"):
        path.write_text("half")
    os.utime(old, (0, 0))
    io.remove_abandoned(tmp_path)
    assert not dead.exists() and not old.exists()
    assert alive.exists() and other.exists()


@pytest.mark.parametrize("text", ["[]", "null", "3", '"text"', "[" * 100_000])
def test_json_that_is_no_object_is_refused(text, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=r"a\.json: (expected a JSON object|truncated or not JSON)"):
        io.read_json(tmp_path / "a.json")


def test_a_csv_file_that_was_cut_or_is_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    io.write_frame(path, pd.DataFrame({"x": [1, 20], "y": [3, 40]}))
    assert io.read_frame(path, ["x", "y"]).shape == (2, 2)
    with pytest.raises(InputError, match=r"a\.csv: lacks the column 'speedup'"):
        io.read_frames([path], ["x", "speedup"])
    path.write_text(path.read_text()[:-2])
    with pytest.raises(InputError, match=r"a\.csv: truncated"):
        io.read_frame(path)


def test_a_key_twice_in_yaml_is_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("a: {b: 1, c: 2, b: 3}\n")
    with pytest.raises(InputError, match=r"a\.yaml: not YAML \(the key 'b' is there twice"):
        io.read_yaml(tmp_path / "a.yaml")
