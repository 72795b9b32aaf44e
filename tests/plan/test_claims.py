"""The file of claims: typed, checked, and complete in what it says of each claim."""

import pytest
from helpers.presets import CONFIGS

from cosee.errors import InputError
from cosee.io import read_yaml
from cosee.plan.claims import read_claims
from cosee.plan.configuration import configuration
from cosee.plan.merging import read_preset
from cosee.plan.runs import final_runs

TEST = "{ collection: c, backbone: b, tasks: [sst2], measure: score, variant: x (energy), reference: y (energy) }"


def claims_of(tmp_path, entry):
    file = tmp_path / "claims.yaml"
    file.write_text(f"claims:\n  - {{ id: a, claim: A., source: §1, {entry} }}\n")
    return read_claims(file)


def test_an_entry_is_typed(tmp_path):
    (claim,) = claims_of(tmp_path, f"tests: [{TEST}]")
    (test,) = claim.tests
    assert (test.measure, test.speedups, test.split, test.expected) == ("score", [2.0], "dev", "higher")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("tests: []", "a: expected tests, `settled` or `open`"),
        (f"tests: [{TEST.replace('score', 'speed')}]", "claims.yaml: 0.tests.0.measure: Input should be"),
        (f"tests: [{TEST.replace(', reference: y (energy)', '')}]", "measure score: expected a reference"),
        (f"tests: [{TEST.replace('score', 'exit_of_errors')}]", "measure exit_of_errors: expected no reference"),
        (f"tests: [{TEST.replace('score', 'score_gain')}]", "measure score_gain: expected two speed-ups"),
        (
            "open: x }\n  - { id: a, claim: B., source: §2, open: y",
            "two claims are called a; give each an id of its own.",
        ),
    ],
)
def test_a_wrong_entry_is_refused(entry, message, tmp_path):
    with pytest.raises(InputError) as error:
        claims_of(tmp_path, entry)
    assert message in str(error.value)


def test_every_test_compares_what_its_preset_trains():
    """A test of a collection whose preset lacks the variant, or reads its outputs by another rule, could never run."""
    for claim in read_claims(CONFIGS / "claims.yaml"):
        for test in claim.tests:
            preset = CONFIGS / f"evidence/{test.collection}.yaml"
            config = configuration(read_preset(CONFIGS / "defaults.yaml", [preset]))
            assert read_yaml(preset)["preset"] == test.collection
            runs = [run for run in final_runs(config) if run.backbone == test.backbone]
            trained = {(run.task, f"{run.variant} ({rule})") for run in runs for rule in run.rules}
            for name in filter(None, (test.variant, test.reference)):
                assert {(task, name) for task in test.tasks} <= trained, (claim.id, name)
            assert test.split == "dev" or set(config.protocol.held_rows) >= set(test.tasks), claim.id
