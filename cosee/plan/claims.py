"""Claims of the paper and the tests that they are put to, typed; the file is `config/claims.yaml`."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from cosee.errors import InputError
from cosee.io import read_yaml
from cosee.plan.entries import Entry, Speedups, Tasks

Measure = Literal["score", "score_gain", "dis", "training_loss", "exit_of_errors"]
"""What a test measures; see `cosee.runs.claims`."""


class Test(Entry):
    """One comparison that decides a claim, declared before the runs are made.

    Attributes are those of an entry under `tests`; an entrant is written "variant (exit rule)".
    """

    __test__ = False  # no test of pytest

    collection: str = Field(description="published collection whose runs are compared")
    backbone: str = Field(description="encoder, a key of its preset")
    tasks: Tasks = Field(description="tasks; the effect is the mean over them")
    measure: Measure = Field(description="what is compared")
    variant: str = Field(description="entrant of which the claim speaks")
    reference: str | None = Field(None, description="entrant that it is compared with")
    speedups: Speedups = Field([2.0], description="target speed-ups; the effect is the mean over them")
    exits: list[int] | None = Field(
        None, description="exits that DIS is averaged over, from 1; null: all internal ones"
    )
    split: str = Field("dev", description="evaluated split")
    expected: Literal["higher", "lower"] = Field("higher", description="sign of the difference that the claim predicts")
    margin: float = Field(0.7, gt=0, description="an interval within ± this, in units of the measure, is no effect")

    @model_validator(mode="after")
    def _has_a_reference(self) -> Self:
        if (self.reference is None) != (self.measure == "exit_of_errors"):
            raise ValueError(f"measure {self.measure}: expected {'no' if self.reference else 'a'} reference")
        if self.measure == "score_gain" and len(self.speedups) != 2:
            raise ValueError("measure score_gain: expected two speed-ups, the lower first")
        return self


class Claim(Entry):
    """A claim, where the paper makes it, and how it is put to the test."""

    id: str = Field(pattern="^[a-z0-9-]+$", description="name of the claim")
    claim: str = Field(description="the claim in a sentence")
    source: str = Field(description="section, table or figure of the paper")
    tests: list[Test] = Field([], description="comparisons that decide it")
    settled: str | None = Field(None, description="how it is settled without runs, with the place of the proof")
    open: str | None = Field(None, description="what is not tested, and what that would take")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.tests or self.settled or self.open):
            raise ValueError(f"{self.id}: expected tests, `settled` or `open`")
        return self


def read_claims(file: str | Path) -> list[Claim]:
    """The claims of a file, in order.

    Raises:
        InputError: an entry is not as it should be, or two have one id.
    """
    entries: Any = read_yaml(file).get("claims")
    try:
        claims = TypeAdapter(list[Claim]).validate_python(entries)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(f"{file}: {where}: {first['msg']}.") from error
    ids = [claim.id for claim in claims]
    if twice := [name for name in ids if ids.count(name) > 1]:
        raise InputError(f"{file}: two claims are called {twice[0]}; give each an id of its own.")
    return claims
