"""Jobs hold every run, and trainings are started in an order that keeps all cores at work."""

import pytest

from cosee.plan.configuration import configuration
from cosee.plan.cost import training_minutes
from cosee.plan.jobs import training_jobs, training_priority, trainings_at_once
from cosee.plan.runs import final_runs
from cosee.plan.search import grid_runs


@pytest.mark.parametrize("minutes", [0, 0.5, 1e9])
def test_jobs_hold_every_run_once_never_cross_tasks_and_take_the_minutes_they_may(mini, minutes):
    mini["jobs"] = {"minutes": minutes}
    config = configuration(mini)
    runs, jobs = [*grid_runs(config), *final_runs(config)], training_jobs(config)
    assert sorted(run.folder for job in jobs for run in job.runs) == sorted(run.folder for run in runs)
    assert all({run.key[:2] for run in job.runs} == {(job.backbone, job.task)} for job in jobs)
    assert all((job.stage == "grid") == (run.point is not None) for job in jobs for run in job.runs)
    assert len({job.record for job in jobs}) == len(jobs)
    for job in jobs:
        assert job.minutes == pytest.approx(sum(training_minutes(config, run) for run in job.runs))
        assert job.minutes <= minutes or len(job.runs) == 1
    groups = {(job.stage, job.backbone, job.task) for job in jobs}
    assert (len(jobs) == len(runs)) == (minutes == 0) and (len(jobs) == len(groups)) == (minutes == 1e9)


def test_a_new_variant_renames_no_job_of_single_runs(mini):
    mini["jobs"] = {"minutes": 0}
    before = {job.record for job in training_jobs(configuration(mini))}
    del mini["variants"]["half"]
    for experiment in mini["experiments"]:
        experiment["variants"] = [name for name in experiment["variants"] if name != "half"]
    after = {job.record for job in training_jobs(configuration(mini))}
    assert after < before and all("/half_" in record for record in before - after)


def test_published_runs_are_not_trained_and_a_task_of_such_runs_is_not_searched(config):
    published = {run.key for run in final_runs(config) if run.task == "sst2"} | {("bert", "rte", "vanilla", 0)}
    jobs = training_jobs(config, published)
    assert not published & {run.key for job in jobs for run in job.runs if job.stage == "final"}
    assert "sst2" not in {job.task for job in jobs} and ("grid", "rte") in {(job.stage, job.task) for job in jobs}


def test_the_task_with_most_to_train_goes_first_and_everything_else_before_it():
    num_runs = {("bert", "rte"): 3, ("bert", "mnli"): 8}
    small, large = (training_priority("bert", task, num_runs) for task in ("rte", "mnli"))
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
