"""A run folder has one owner: among real processes, dead and living, and among machines as far as files tell."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from cosee.errors import InputError
from cosee.runs import ownership
from cosee.runs.ownership import owned, this_process

HOLD = """
import sys, time
from cosee.runs.ownership import owned
with owned(sys.argv[1]):
    print("has it", flush=True)
    sys.stdin.readline()
"""

COUNT = """
import os, sys, time
from pathlib import Path
from cosee.runs import ownership
ownership.LOOK = 0.02
folder, inside = Path(sys.argv[1]), Path(sys.argv[2])
for _ in range(int(sys.argv[3])):
    with ownership.owned(folder, wait=True) as mine:
        os.close(os.open(inside, os.O_CREAT | os.O_EXCL))  # fails if somebody else is inside
        time.sleep(0.002)
        mine.check()
        inside.unlink()
    if "dies" in sys.argv:
        with ownership.owned(folder, wait=True):
            os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
            inside.unlink()
            os.kill(os.getpid(), 9)
"""


def start(code, *args):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture
def other(tmp_path):
    """Another process that owns the folder."""
    with start(HOLD, tmp_path / "run") as process:
        assert process.stdout.readline() == "has it\n"
        yield process
        process.kill()


def strangers(folder, age, **changes):
    """The file of an owner on another machine, whose last sign of life is so many seconds old."""
    folder.mkdir(exist_ok=True)
    owner = this_process()._replace(host="far", machine="another", token="theirs", process=7, **changes)
    (folder / ".owner.3").write_text(json.dumps(owner._asdict()))
    os.utime(folder / ".owner.3", (time.time() - age,) * 2)


def test_a_folder_is_free_after_use_and_nothing_stays_in_it(tmp_path):
    for _ in range(2):
        with owned(tmp_path / "run") as mine:
            mine.check()
            assert [path.name for path in (tmp_path / "run").iterdir()] == [".owner.1"]
        assert not list((tmp_path / "run").iterdir())


def test_the_second_is_told_who_has_it(tmp_path, other):
    sentence = f"run: process {other.pid} on .* trains this run; wait for it, or end it first.$"
    with pytest.raises(InputError, match=sentence), owned(tmp_path / "run"):
        raise AssertionError


def test_who_waits_says_for_whom_once(tmp_path, other, monkeypatch, caplog):
    monkeypatch.setattr(ownership, "LOOK", 0.05)
    looks = []

    def look(seconds):
        looks.append(seconds)
        if len(looks) == 4:
            other.stdin.write("\n")
            other.stdin.flush()
            other.wait()

    monkeypatch.setattr(ownership, "sleep", look)
    with caplog.at_level("INFO", "cosee"), owned(tmp_path / "run", wait=True):
        assert len(looks) >= 4
    assert [str(other.pid) in message for message in caplog.messages] == [True]


def test_the_folder_of_a_killed_process_is_taken_over_at_once(tmp_path, other, caplog):
    other.send_signal(signal.SIGKILL)
    with owned(tmp_path / "run"):  # also before its parent has asked for its end
        assert [path.name for path in (tmp_path / "run").iterdir()] == [".owner.2"]
    assert f"process {other.pid}" in caplog.text and "is dead" in caplog.text


def test_a_number_that_another_process_has_now_is_not_mistaken_for_the_owner(tmp_path, other):
    (file,) = (tmp_path / "run").iterdir()
    file.write_text(json.dumps(json.loads(file.read_text()) | {"started": "1"}))
    with owned(tmp_path / "run") as mine:
        mine.check()


def test_an_owner_elsewhere_lives_as_long_as_its_heart_beats(tmp_path):
    strangers(tmp_path / "run", age=ownership.SILENCE - 30)
    with pytest.raises(InputError, match="process 7 on far"), owned(tmp_path / "run"):
        raise AssertionError
    strangers(tmp_path / "run", age=ownership.SILENCE + 30)
    with owned(tmp_path / "run") as mine:
        mine.check()


def test_the_same_job_started_again_need_not_wait(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "43")
    strangers(tmp_path / "run", age=0)
    with pytest.raises(InputError, match=r"process 7 on far \(job 43\)"), owned(tmp_path / "run"):
        raise AssertionError
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    with owned(tmp_path / "run") as mine:
        mine.check()


def test_the_heart_beats(tmp_path, monkeypatch):
    monkeypatch.setattr(ownership, "HEARTBEAT", 0.02)
    with owned(tmp_path / "run"):
        (file,) = (tmp_path / "run").iterdir()
        os.utime(file, (0, 0))
        deadline = time.monotonic() + 30
        while time.time() - file.stat().st_mtime > 60:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_who_has_lost_the_folder_writes_no_more(tmp_path):
    with owned(tmp_path / "run") as mine:
        (tmp_path / "run/.owner.1").unlink()
        strangers(tmp_path / "run", age=0)
        with pytest.raises(InputError, match="has lost this run to process 7 on far"):
            mine.check()
    assert (tmp_path / "run/.owner.3").exists()  # the other's file is not taken for one's own


@pytest.mark.parametrize("links", [True, False])
def test_only_one_of_many_processes_is_ever_inside_though_some_are_killed(tmp_path, links):
    code = COUNT if links else "import os\ndef link(*args): raise PermissionError\nos.link = link\n" + COUNT
    args = (tmp_path / "run", tmp_path / "inside", 15)
    processes = [start(code, *args, *(["dies"] if number % 2 else [])) for number in range(6)]
    codes = [process.wait(timeout=120) for process in processes]
    assert codes == [0, -signal.SIGKILL] * 3
    with owned(tmp_path / "run"):
        assert len(list((tmp_path / "run").iterdir())) == 1
