"""What the schema refuses, and where it says the mistake is."""

import copy

import pytest
from helpers.pipeline import PROJECT
from helpers.presets import read
from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

SCHEMA = str(PROJECT / "workflow/schemas/config.schema.yaml")


@pytest.mark.parametrize("preset", ["config", "glue-small", "bert-base", "paper"])
def test_presets_are_what_it_describes(preset):
    config = read(preset)
    before = copy.deepcopy(config)
    validate(config, SCHEMA)
    assert config == before  # nothing is filled in but what `read` does too


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        (lambda c: c.update(lerning_rate=1), "$", "'lerning_rate' was unexpected"),
        (lambda c: c["experiments"][0].update(tasks=["cola"]), "$.experiments[0].tasks[0]", "'cola' is not one of"),
        (lambda c: c.update(signals=["margin"]), "$.signals[0]", "'margin' is not one of"),
        (lambda c: c["training"].update(learning_rate="2e-5"), "$.training.learning_rate", "'2e-5' is not of type"),
    ],
)
def test_a_mistake_is_named_with_its_place(config, change, place, message):
    change(config)
    with pytest.raises(WorkflowError) as caught:
        validate(config, SCHEMA)
    assert caught.value.__context__.json_path == place
    assert message in caught.value.__context__.message
