"""The recipes of a container agree with the lock and each other; `--sdm apptainer` runs the rules in the image."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.pipeline import PROJECT, arguments

CONTAINERFILE = (PROJECT / "container/Containerfile").read_text()
DEFINITION = (PROJECT / "container/cosee.def").read_text()
STAND_IN = """#!/bin/sh
# Notes what it is called with, and runs the command outside of any container.
if [ "$1" = --version ]; then echo 'apptainer version 1.3.4'; exit; fi
for word in "$@"; do printf '%s\\n' "$word"; done >> {notes}
while [ "$1" != -c ]; do shift; done
exec bash -c "$2"
"""
"""In place of Apptainer, which needs not be here."""


def test_both_recipes_start_from_one_image_and_hold_the_same_files():
    (image,) = re.findall(r"^ARG BASE=(\S+)$", CONTAINERFILE, re.MULTILINE)
    assert re.findall(r"^From: (\S+)$", DEFINITION, re.MULTILINE) == [image]
    copied = [word for line in re.findall(r"^COPY (.+) \S+$", CONTAINERFILE, re.MULTILINE) for word in line.split()]
    listed = re.findall(r"^    (\S+) /opt/cosee/(\S+)$", DEFINITION, re.MULTILINE)
    assert [source for source, _ in listed] == copied and all(source == place for source, place in listed)
    assert all((PROJECT / source).exists() for source in copied)


def test_both_recipes_install_the_pins_of_the_lock_and_nothing_beside_them():
    installs = re.findall(r"pip install (.+)$", CONTAINERFILE, re.MULTILINE)
    assert installs == re.findall(r"pip install (.+)$", DEFINITION, re.MULTILINE)
    assert installs == ["--no-cache-dir -r requirements.lock", "--no-cache-dir --no-deps -e ."]


@pytest.mark.slow
def test_apptainer_is_given_the_image_of_the_configuration(tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "apptainer").write_text(STAND_IN.format(notes=tmp_path / "notes.txt"))
    (tools / "apptainer").chmod(0o755)
    command = [*arguments(tmp_path / "work", "results/tables/table4.csv"), "--sdm", "apptainer"]
    image = tmp_path / "cosee.sif"
    path = f"{tools}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [*command, "--config", f"container={image}"],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    words = (tmp_path / "notes.txt").read_text().splitlines()
    assert words.count("exec") == words.count(str(image)) == 1
    assert (tmp_path / "work/results/tables/table4.csv").is_file()
