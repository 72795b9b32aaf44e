"""Time of a workflow run by rule."""

import pytest

from cosee.bench.workflow_times import job_shares
from cosee.errors import InputError

HEADER = "s\th:m:s\tmax_rss\tcpu_time\n"


def write(folder, name, *lines):
    file = folder / f"{name}.tsv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(HEADER + "".join(f"{line}\n" for line in lines))


def test_jobs_are_summed_by_rule_the_longest_first(tmp_path):
    write(tmp_path, "tables/table2", "1.0\t0:00:01\t90.0\t0.5")
    write(tmp_path, "train/bert/sst2", "50.0\t0:00:50\t700.0\t40.0", "4.0\t0:00:04\t600.0\t3.0")
    write(tmp_path, "train/bert/rte", "5.0\t0:00:05\t650.0\t4.5")
    shares = job_shares(tmp_path)
    assert shares.columns.tolist() == ["rule", "jobs", "seconds", "cpu_seconds", "share", "peak_mb"]
    assert shares.to_numpy().tolist() == [["train", 2, 9.0, 7.5, 90.0, 650.0], ["tables", 1, 1.0, 0.5, 10.0, 90.0]]


def test_a_job_too_short_to_be_measured_counts_with_its_time(tmp_path):
    write(tmp_path, "select/rte", "0.01\t0:00:00\t-\t-")
    assert job_shares(tmp_path)[["seconds", "cpu_seconds"]].to_numpy().tolist() == [[0.01, 0.0]]


def test_a_folder_without_benchmarks_is_named(tmp_path):
    with pytest.raises(InputError, match="no benchmark files; expected the folder benchmarks/ of a run"):
        job_shares(tmp_path)


def test_what_was_asked_for_is_beside_what_was_taken(tmp_path):
    for name, seconds, megabytes in (("a", 90.0, 700.0), ("b", 30.0, 2500.0)):
        file = tmp_path / f"train/{name}.tsv"
        file.parent.mkdir(exist_ok=True)
        asked = {"mem_mb": 2000, "runtime": 2, "tmpdir": "/tmp"}
        file.write_text(f"s\tmax_rss\tcpu_time\tresources\n{seconds}\t{megabytes}\t1.0\t{asked}\n")
    (row,) = job_shares(tmp_path).to_dict("records")
    assert (row["peak_mb"], row["asked_mb"], row["asked_share"]) == (2500.0, 2000, 75.0)
