"""What a configuration implies is worked out once: the rules of the workflow ask for the same lists again and again."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, TypeVar
from weakref import finalize

if TYPE_CHECKING:  # a run can be trained where only torch and its companions are installed
    from cosee.plan.configuration import Configuration

Item = TypeVar("Item")


def once(function: Callable[["Configuration"], list[Item]]) -> Callable[["Configuration"], list[Item]]:
    """Remember the list that a function gives for a configuration as long as that exists; each call gives a copy."""
    known: dict[int, list[Item]] = {}

    @wraps(function)
    def remembered(config: "Configuration") -> list[Item]:
        if id(config) not in known:
            known[id(config)] = function(config)
            finalize(config, known.pop, id(config), None)
        return list(known[id(config)])

    return remembered
