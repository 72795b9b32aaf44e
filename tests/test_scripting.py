"""The log of a workflow script is that of one process."""

import subprocess
import sys

HOLD = """
import sys
from cosee.scripting import logged
with logged(sys.argv[1]):
    print("first line", file=sys.stderr, flush=True)
    print("ready", flush=True)
    sys.stdin.readline()
    print("last line", file=sys.stderr, flush=True)
"""

FAIL = """
import sys
from cosee.errors import InputError
from cosee.scripting import logged
with logged(sys.argv[1]):
    raise InputError("nothing to do.")
"""


def test_a_process_that_outlived_its_try_does_not_write_into_the_log_of_the_next(tmp_path):
    log = tmp_path / "job.log"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", HOLD, str(log)], **pipes) as earlier:
        assert earlier.stdout.readline() == "ready\n"
        with subprocess.Popen([sys.executable, "-c", HOLD, str(log)], **pipes) as later:
            assert later.stdout.readline() == "ready\n"
            earlier.communicate("\n")
            later.communicate("\n")
    assert log.read_text() == "first line\nlast line\n"


def test_an_expected_error_is_the_last_line_of_the_log(tmp_path):
    done = subprocess.run([sys.executable, "-c", FAIL, str(tmp_path / "job.log")], check=False)
    assert done.returncode == 1 and (tmp_path / "job.log").read_text() == "error: nothing to do.\n"
