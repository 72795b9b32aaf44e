"""Generated examples and their cut, as most tests want them."""

import pytest

from cosee.data.cuts import cut_splits
from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.synthetic import generation


def generated(name, train=60, rest=20):
    sizes = {"train": train} | dict.fromkeys(TASKS[name].eval_splits.values(), rest)
    return generation.generate(name, 0, sizes)


def with_test(rows, task):
    """The rows and a test split without labels for each that the hub has."""
    unlabeled = next(iter(rows.values())).assign(label=-1)
    return rows | dict.fromkeys(task.test_splits.values(), unlabeled)


def cut(rows, task, protocol="heldout", fraction=0.1, most=2000, train_rows=None, seed=1, grouped=False, **changes):
    return cut_splits(rows, task, protocol, fraction, most, train_rows, seed, grouped=grouped, **changes)


def texts(frame):
    return set(zip(frame["text_a"], frame["text_b"], strict=True))


def message_of(call) -> str:
    with pytest.raises(InputError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)
