"""Jobs that share nothing but a storage: what is not declared is lost between two working directories."""

import subprocess
from importlib.util import find_spec

import pytest
from helpers.pipeline import PROJECT, arguments

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("snakemake_storage_plugin_fs") is None, reason="no snakemake-storage-plugin-fs"),
]
TIMED = ("latency", "methods.", "manifest", "run.json", "trained/", "explorer")
"""Parts of the names of results that hold seconds, or digests of such."""


def test_results_are_the_same_when_the_second_half_is_made_where_nothing_of_the_first_is(built, tmp_path):
    options = ["--default-storage-provider", "fs", "--default-storage-prefix", str(tmp_path / "storage")]
    options += ["--shared-fs-usage", "none"]
    for folder, target in (("first", "methods"), ("second", "all")):
        command = arguments(tmp_path / folder, target)
        place = command.index("--configfile")
        done = subprocess.run(
            [*command[:place], *options, *command[place:]], capture_output=True, text=True, cwd=PROJECT
        )
        assert done.returncode == 0, done.stderr[-3000:]
    compared = 0
    for file in sorted((built / "results").rglob("*")):
        name = file.relative_to(built)
        if file.is_file() and name.parts[1] != "runs" and "cost" not in name.name:
            assert (tmp_path / "storage" / name).is_file(), name
            if not any(part in str(name) for part in TIMED):
                assert (tmp_path / "storage" / name).read_bytes() == file.read_bytes(), name
                compared += 1
    assert compared > 30
