"""Records say which jobs are finished, and do not outlive what they say."""

import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from cosee.errors import InputError
from cosee.io import read_json, write_json
from cosee.plan.jobs import run_files, training_jobs
from cosee.runs.records import place_inputs, remove_untrue, write_archive, write_record


@pytest.fixture
def job(config, tmp_path, monkeypatch):
    """A finished job of two runs."""
    monkeypatch.chdir(tmp_path)
    (job, *_) = [job for job in training_jobs(config) if job.stage == "final" and len(job.runs) > 1]
    job = replace(job, runs=job.runs[:2])
    for run in job.runs:
        for file in run_files(run, config):
            write_json(file, {"seed": run.seed})
    write_record(job.record, job.runs)
    return job


def test_a_record_names_its_runs_and_changes_when_one_is_trained_anew(job):
    before = read_json(job.record)
    assert list(before) == [run.folder for run in job.runs]
    write_record(job.record, job.runs)
    assert read_json(job.record) == before
    write_json(f"{job.runs[1].folder}/run.json", {"seconds": 3})
    write_record(job.record, job.runs)
    after = read_json(job.record)
    assert [before[run.folder] == after[run.folder] for run in job.runs] == [True, False]


def test_a_record_goes_when_a_file_that_it_stands_for_is_missing(job, config):
    assert remove_untrue(config, [job]) == [] and Path(job.record).exists()
    Path(run_files(job.runs[1], config)[1]).unlink()
    assert remove_untrue(config, [job]) == [job.record] and not Path(job.record).exists()
    assert remove_untrue(config, [job]) == []


def test_an_archive_brings_the_files_of_runs_elsewhere_and_is_the_same_each_time(job, config, tmp_path, monkeypatch):
    files = [file for run in job.runs for file in run_files(run, config)]
    write_archive("first.zip", files)
    for file in files:
        os.utime(file, (1e9, 1e9))
    write_archive("second.zip", files)
    assert Path("first.zip").read_bytes() == Path("second.zip").read_bytes()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    place_inputs([str(tmp_path / "first.zip"), str(tmp_path / job.record)])
    assert all(Path(file).read_bytes() == (tmp_path / file).read_bytes() for file in files)
    assert not Path(job.record).exists()  # no copy of what lies outside a storage


def test_files_of_a_storage_are_found_where_the_plan_names_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stored = ".snakemake/storage/fs/results/prefix/results/sst2/energy_exits.csv"
    write_json(stored, {"in": "storage"})
    write_json("results/rows.csv", {"in": "place"})
    for _ in range(2):
        place_inputs([stored, "results/rows.csv"])
    assert read_json("results/sst2/energy_exits.csv") == {"in": "storage"}
    assert not Path("results/rows.csv").is_symlink()


@pytest.mark.parametrize("name", ["results/runs/../../outside.txt", "/tmp/outside.txt", "somewhere/run.json"])
def test_an_archive_of_anything_else_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("strange.zip", "w") as archive:
        archive.writestr("results/runs/bert/run.json", "{}")
        archive.writestr(name, "written")
    with pytest.raises(InputError, match=r"strange\.zip: holds other files than those of runs"):
        place_inputs(["strange.zip"])
    assert not Path("results").exists()
    Path("strange.zip").write_bytes(b"PK and no more")
    with pytest.raises(InputError, match="truncated or no archive"):
        place_inputs(["strange.zip"])
