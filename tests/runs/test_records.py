"""Records say which jobs are finished, and do not outlive what they say."""

from dataclasses import replace
from pathlib import Path

import pytest

from cosee.io import read_json, write_json
from cosee.plan.jobs import run_files, training_jobs
from cosee.runs.records import remove_untrue, write_record


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
