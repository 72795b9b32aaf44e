"""The shipped profile on a real SLURM: equal results, trainings side by side, and everything that ends a job early.

Run with `-m slurm`, as root, where Debian's SLURM packages and the extra `slurm` are installed; ten minutes or more.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import pytest
from helpers.local_slurm import PREFIX, LocalSlurm, missing, processes
from helpers.pipeline import PROJECT, REDUCED_MINI, arguments, preset

LACKS = missing() or (
    "" if find_spec("snakemake_executor_plugin_slurm") else "no executor plugin; install cosee[slurm]"
)
pytestmark = [pytest.mark.slurm, pytest.mark.skipif(bool(LACKS), reason=LACKS or "there")]

LONG = (preset("config"), PROJECT / "tests/cluster/long.yaml")
RUNS = [f"results/runs/bert/sst2/vanilla/final/seed{seed}" for seed in (0, 1)]
TARGETS = [f"results/trained/final/bert/sst2/vanilla_seed{seed}.json" for seed in (0, 1)]
SOON = ["--slurm-init-seconds-before-status-checks", "2", "--jobs", "4", "--resources", "gpu=2"]
FILES = ("logits-dev.npz", "logits-sel.npz", "history.csv")


@pytest.fixture(scope="module")
def slurm():
    """SLURM, up and idle. Its daemons change their users, who may not look into the folders of tests."""
    with TemporaryDirectory(prefix=PREFIX) as folder:
        running = LocalSlurm(Path(folder))
        yield running
        running.stop()


def submitting(slurm, folder, *targets, configs=LONG, options=()):
    """The process that submits the jobs for some targets, with the shipped profile."""
    local = arguments(folder, *targets, configs=configs)
    place = local.index("--cores")
    command = [*local[:place], *local[place + 2 :], "--workflow-profile", str(PROJECT / "workflow/profiles/slurm")]
    with open(folder / "printed.txt", "ab") as printed:
        return subprocess.Popen(
            [*command, *SOON, *options],
            env=slurm.environment | {"PYTHONPATH": str(PROJECT)},
            stdout=printed,
            stderr=printed,
            cwd=PROJECT,
        )


def states(slurm, folder):
    """SLURM's number of each training of a folder -> its state."""
    here = str(folder)
    return {
        job["JobId"]: job["JobState"]
        for job in slurm.jobs()
        if "train_final" in job.get("Comment", "") and job.get("WorkDir") == here
    }


def until(condition, process=None, seconds=900):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, "ended too early"
        assert time.monotonic() < deadline, "too late"
        time.sleep(0.3)


def log_of(folder, seed):
    file = folder / f"logs/train/final/bert/sst2/vanilla_seed{seed}.log"
    return file.read_text() if file.exists() else ""


def trains(folder, seed):
    return (folder / RUNS[seed] / "state.safetensors").exists()


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A folder in which the two long trainings were done without SLURM."""
    folder = tmp_path_factory.mktemp("reference")
    subprocess.run(arguments(folder, *TARGETS, configs=LONG), check=True, cwd=PROJECT, capture_output=True)
    return folder


@pytest.fixture
def prepared(reference, tmp_path):
    """A folder in which only the two long trainings are left to do."""
    folder = tmp_path / "run"
    shutil.copytree(reference, folder)
    for target, run in zip(TARGETS, RUNS, strict=True):
        (folder / target).unlink()
        shutil.rmtree(folder / run)
    shutil.rmtree(folder / "logs/train")
    return folder


@pytest.fixture
def writers(prepared):
    """Sees who owns the runs of the folder; at the end, that never two living processes owned one."""
    seen: dict[str, set[str]] = {run: set() for run in RUNS}
    together, ended = [], Event()

    def watch():
        while not ended.wait(0.05):
            for run in RUNS:
                owners = {path: path.read_text() for path in (prepared / run).glob(".owner.*") if path.exists()}
                living = {text for text in owners.values() if _lives(text)}
                seen[run] |= living
                if len(living) > 1:
                    time.sleep(0.5)  # one may be stepping back
                    if all(path.exists() for path, text in owners.items() if text in living):
                        together.append(living)

    thread = Thread(target=watch)
    thread.start()
    yield seen
    ended.set()
    thread.join()
    assert not together


def _lives(text):
    try:
        return Path(f"/proc/{json.loads(text)['process']}").exists()
    except ValueError:
        return False


def assert_finished(process, folder, reference, seconds=1800):
    assert process.wait(timeout=seconds) == 0, (folder / "printed.txt").read_text()[-3000:]
    for run in RUNS:
        for name in FILES:
            assert (folder / run / name).read_bytes() == (reference / run / name).read_bytes(), (run, name)
        assert not list((folder / run).glob(".*"))


# --- the whole pipeline -----------------------------------------------------------------------------------------------


def test_the_whole_pipeline_gives_what_it_gives_without_slurm(built, slurm, tmp_path):
    began = time.time()
    folder = tmp_path / "whole"
    folder.mkdir()
    process = submitting(slurm, folder, "all", "cost", configs=REDUCED_MINI)
    assert process.wait(timeout=6000) == 0, (folder / "printed.txt").read_text()[-3000:]
    print(f"whole pipeline through SLURM: {time.time() - began:.0f} s")
    timed = ("latency", "cost", "methods.", "manifest", "run.json", "trained/", "explorer")  # hold seconds
    compared = 0
    for file in sorted((built / "results").rglob("*")):
        name = str(file.relative_to(built))
        if file.is_file():
            assert (folder / name).is_file(), name
            if not any(part in name for part in timed):
                assert (folder / name).read_bytes() == file.read_bytes(), name
                compared += 1
    assert compared > 100
    print(f"{compared} files byte-equal")
    assert (folder / "results/tables/latency.csv").exists() and (folder / "results/cost.csv").exists()
    jobs = [job for job in slurm.jobs() if job["WorkDir"] == str(folder)]
    assert {job["JobState"] for job in jobs} == {"COMPLETED"} and all("mem=" in job["TRES"] for job in jobs)
    on_gpu = {job["Comment"].partition("_wildcards")[0] for job in jobs if "gres/gpu=1" in job["TRES"]}
    assert on_gpu == {"rule_train_grid", "rule_train_final", "rule_time_early_exit", "rule_cost"}
    print(f"{len(jobs)} SLURM jobs, {sum('gres/gpu=1' in job['TRES'] for job in jobs)} of them on a GPU")


# --- two trainings, and what disturbs them ----------------------------------------------------------------------------


def test_two_trainings_run_side_by_side_on_a_gpu_each(slurm, prepared, reference, writers):
    process = submitting(slurm, prepared, *TARGETS)
    until(lambda: list(states(slurm, prepared).values()) == ["RUNNING"] * 2, process)
    jobs = [job for job in slurm.jobs() if job["JobState"] == "RUNNING"]
    assert all("gres/gpu=1" in job["TRES"] and job["TimeLimit"] != "01:00:00" for job in jobs)
    assert_finished(process, prepared, reference)
    assert all(len(owners) == 1 for owners in writers.values())


def test_a_cancelled_job_is_seen_and_tried_again_from_where_it_was(slurm, prepared, reference, writers):
    process = submitting(slurm, prepared, *TARGETS)
    until(lambda: trains(prepared, 0), process)
    (first, *_) = states(slurm, prepared)
    slurm.call("scancel", first)
    assert_finished(process, prepared, reference)
    assert states(slurm, prepared)[first] == "CANCELLED" and len(states(slurm, prepared)) == 3
    assert sum("resuming" in log_of(prepared, seed) for seed in (0, 1)) == 1


def test_a_training_that_runs_out_of_time_resumes_at_the_next_try(slurm, prepared, reference, writers):
    process = submitting(slurm, prepared, TARGETS[0], options=["--set-resources", "train_final:runtime=3 * attempt**2"])
    until(lambda: trains(prepared, 0), process)
    (training,) = [pid for pid, line in processes() if "train.py" in line and str(prepared) in line]
    os.kill(training, signal.SIGSTOP)  # however fast the machine is; however slow, the second try has 12 minutes
    until(lambda: "TIMEOUT" in states(slurm, prepared).values(), process)
    assert process.wait(timeout=1800) == 0
    for name in FILES:
        assert (prepared / RUNS[0] / name).read_bytes() == (reference / RUNS[0] / name).read_bytes()
    assert "resuming" in log_of(prepared, 0)


def test_a_preempted_training_is_started_again_by_slurm_and_resumes(slurm, prepared, reference, writers):
    process = submitting(slurm, prepared, *TARGETS)
    until(lambda: trains(prepared, 0) and trains(prepared, 1), process)
    slurm.call("sbatch", "-p", "urgent", "-c", "2", "--mem", "100", "-o", "/dev/null", "--wrap", "sleep 5")
    until(lambda: set(states(slurm, prepared).values()) <= {"PENDING", "REQUEUED"}, process)
    assert_finished(process, prepared, reference)
    assert len(states(slurm, prepared)) == 2  # no further jobs, the same ones
    assert all("resuming" in log_of(prepared, seed) for seed in (0, 1))


def test_a_node_that_dies_costs_little_and_makes_no_second_writer(slurm, prepared, reference, writers):
    process = submitting(slurm, prepared, *TARGETS)
    until(lambda: trains(prepared, 0) and trains(prepared, 1), process)
    slurm.kill_node()
    until(lambda: "RUNNING" not in states(slurm, prepared).values(), process)
    slurm.start_node()
    assert_finished(process, prepared, reference)
    assert all(len(owners) >= 2 for owners in writers.values())


def test_the_same_command_after_a_killed_submitter_makes_no_second_writer(slurm, prepared, reference, writers):
    process = submitting(slurm, prepared, *TARGETS)
    until(lambda: trains(prepared, 0) and trains(prepared, 1), process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    again = submitting(slurm, prepared, *TARGETS)
    assert_finished(again, prepared, reference)
    assert len(states(slurm, prepared)) == 4
    assert all(len(owners) == 1 for owners in writers.values())  # the orphans trained, the others waited
