"""`cosee submit`: files for the GLUE server, at a threshold that was chosen without the test split."""

import numpy as np
import pytest

from cosee.cli.submit import certified_threshold
from cosee.errors import InputError
from cosee.evaluation.outputs import load_outputs
from cosee.evaluation.point_frames import operating_points
from cosee.evaluation.risk import losses
from cosee.evaluation.risk_procedures import calibrate
from cosee.exiting.simulation import exit_layers
from cosee.methods import rule_named


def test_the_file_has_an_answer_to_every_test_row(made):
    sel, test = (load_outputs(made / f"runs/pabee/logits-{split}.npz") for split in ("sel", "test"))
    rule = rule_named("patience")
    (((_, threshold),),) = operating_points([sel], rule, [2.0])
    layers = exit_layers(test.exit_scores(rule), threshold, rule.harder_is)
    header, *lines = (made / "submission/RTE.tsv").read_text().splitlines()
    assert header == "index\tprediction" and len(lines) == 30
    for row, line in enumerate(lines):
        answer = ("entailment", "not_entailment")[test.predicted[row, layers[row]]]
        assert line == f"{row}\t{answer}"


def test_of_schedules_the_one_for_the_speedup_answers(call, made, tmp_path):
    code, _, err = call(f"submit runs/pabee --rule eenet --speedup 1.5 --out {tmp_path}")
    assert code == 0 and not err
    sel, test = (load_outputs(made / f"runs/pabee/logits-{split}.npz") for split in ("sel", "test"))
    (rule,) = [each for each in rule_named("eenet").fit(sel.logits, sel.labels) if each.name == "eenet-1.5"]
    layers = exit_layers(test.exit_scores(rule), 1.5, rule.harder_is)
    expected = [("entailment", "not_entailment")[test.predicted[row, layer]] for row, layer in enumerate(layers)]
    assert [line.split("\t")[1] for line in (tmp_path / "RTE.tsv").read_text().splitlines()[1:]] == expected


def test_a_risk_is_certified_on_the_calibration_examples(made):
    outputs = load_outputs(made / "runs/mine/logits-cal.npz")
    rule = rule_named("energy")
    for level in (0.05, 0.2, 0.6):
        threshold = certified_threshold(outputs, rule, level)
        scores, loss = outputs.exit_scores(rule), losses(outputs.predicted, outputs.labels, "same")
        expected = calibrate(scores, loss, rule.harder_is, level)
        np.testing.assert_array_equal(
            exit_layers(scores, threshold, rule.harder_is), exit_layers(scores, expected, rule.harder_is)
        )
    with pytest.raises(InputError, match=r"--risk: a risk of 0.01 needs 230 calibration examples .* there are 60;"):
        certified_threshold(outputs, rule, 0.01)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("runs/mine --out {}", "runs/mine: no predictions of the split 'test'; the run has cal, dev, fit, sel"),
        ("runs/pabee --out {} --speedup 0", "expected a number above 0, got '0'"),
        ("runs/pabee --out {} --risk 0.05", "no predictions of the split 'cal'; the run has dev, fit, sel, test"),
        ("runs/pabee --out {} --risk 2", "expected a number between 0 and 1, got '2'"),
        ("runs/pabee --out {} --speedup 9", "target speed-up 9.0: with 4 layers it must lie between 1 and 4"),
        ("runs/pabee --out {} --rule quantile", "reads learned scores"),
        (
            "runs/pabee --out {} --rule eenet --risk 0.1",
            "--risk: the exit rule eenet has schedules in place of",
        ),
    ],
)
def test_wrong_input(line, message, refused, made, tmp_path):
    assert message in refused(f"submit {line.format(tmp_path / 'out')}")
    assert not list(tmp_path.iterdir())
