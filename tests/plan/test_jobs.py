"""Jobs hold every run, and trainings are started in an order that keeps all cores at work."""

import pytest

from cosee.plan.jobs import Job, split_into_jobs, training_priority, trainings_at_once
from cosee.plan.runs import final_runs


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_jobs_hold_every_run_once_and_never_cross_tasks(config, size):
    runs = final_runs(config)
    jobs = split_into_jobs(runs, "final", size)
    assert sorted(run.folder for job in jobs for run in job.runs) == sorted(run.folder for run in runs)
    assert all(len(job.runs) <= size for job in jobs)
    assert all({(run.backbone, run.task) for run in job.runs} == {(job.backbone, job.task)} for job in jobs)
    assert len({job.name for job in jobs}) == len(jobs)


def test_the_task_with_most_to_train_goes_first_and_everything_else_before_it():
    num_runs = {("bert", "rte"): 3, ("bert", "mnli"): 8}
    small, large = (training_priority(Job("final", "bert", task, 0, ()), num_runs) for task in ("rte", "mnli"))
    assert small < large < 0


@pytest.mark.parametrize(
    ("cores", "nodes", "slots", "uses_gpu", "at_once"),
    [
        (4, None, 1, True, 1),
        (4, None, 3, True, 3),
        (4, None, 9, True, 4),
        (4, None, 1, False, 4),
        (None, 50, 50, True, 50),
        (None, 50, 0, False, 50),
        (None, None, 0, True, 1),
    ],
)
def test_trainings_at_once_are_limited_by_cores_nodes_and_gpu_slots(cores, nodes, slots, uses_gpu, at_once):
    assert trainings_at_once(cores, nodes, slots, uses_gpu) == at_once
