import dataclasses

import pytest

from cosee.data.tasks import TASKS


def test_the_six_tasks_come_in_the_order_of_the_paper():
    assert [task.label for task in TASKS.values()] == ["RTE", "MRPC", "QQP", "SST-2", "QNLI", "MNLI"]
    assert all(name == task.name for name, task in TASKS.items())


def test_tasks_cannot_be_changed():
    with pytest.raises(TypeError):
        TASKS["cola"] = TASKS["rte"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        TASKS["rte"].label = "CoLA"
    with pytest.raises(TypeError):
        TASKS["rte"].eval_splits["dev"] = "train"


def test_label_ids_are_those_of_the_hub():
    assert {name: task.classes for name, task in TASKS.items()} == {
        "rte": ("entailment", "not_entailment"),
        "mrpc": ("not_equivalent", "equivalent"),
        "qqp": ("not_duplicate", "duplicate"),
        "sst2": ("negative", "positive"),
        "qnli": ("entailment", "not_entailment"),
        "mnli": ("entailment", "neutral", "contradiction"),
    }
    assert {name: task.num_classes for name, task in TASKS.items() if task.num_classes != 2} == {"mnli": 3}


def test_columns_and_metrics_are_those_of_glue():
    assert [name for name, task in TASKS.items() if len(task.columns) == 1] == ["sst2"]
    assert TASKS["qnli"].columns == ("question", "sentence")  # the question comes first, as on the hub
    assert TASKS["mnli"].columns == ("premise", "hypothesis")
    assert {name for name, task in TASKS.items() if task.metrics == ("accuracy", "f1")} == {"mrpc", "qqp"}
    assert {task.metrics for task in TASKS.values()} == {("accuracy",), ("accuracy", "f1")}


def test_mnli_is_reported_on_both_of_its_sets():
    mnli = TASKS["mnli"]
    assert dict(mnli.eval_splits) == {"dev": "validation_matched", "dev_mm": "validation_mismatched"}
    assert dict(mnli.test_splits) == {"test": "test_matched", "test_mm": "test_mismatched"}
    assert dict(mnli.submission) == {"test": "MNLI-m.tsv", "test_mm": "MNLI-mm.tsv"}


def test_the_server_wants_names_for_inference_and_ids_for_the_rest():
    assert TASKS["mnli"].submission_labels == ("entailment", "neutral", "contradiction")
    assert TASKS["qnli"].submission_labels == TASKS["rte"].submission_labels == ("entailment", "not_entailment")
    assert {TASKS[name].submission_labels for name in ("sst2", "mrpc", "qqp")} == {("0", "1")}


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_the_facts_of_a_task_agree_with_one_another(task):
    assert set(task.official_rows) == {"train", *task.eval_splits.values(), *task.test_splits.values()}
    assert set(task.submission) == set(task.test_splits)
