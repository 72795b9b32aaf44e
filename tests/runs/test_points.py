import numpy as np
import pandas as pd

from cosee.evaluation.families import choose_members
from cosee.evaluation.matched import deployed_point, matched_point
from cosee.evaluation.outputs import ExitOutputs, save_outputs
from cosee.exiting.rules import RULES
from cosee.plan.curves import Curve
from cosee.plan.runs import Run
from cosee.runs.points import deployed_points, matched_points


def stored(root, name, seed, depths=(1, 2, 3, 4), split="dev"):
    """A run of random outputs."""
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(30, len(depths), 2)), rng.integers(0, 2, 30)
    outputs = ExitOutputs(
        logits, labels, np.arange(30), 4, depths, tuple(map(float, depths)), rng.random((30, len(depths)))
    )
    save_outputs(root / name / f"logits-{split}.npz", outputs)
    return outputs


class StoredRun(Run):
    """A run that is known by its folder alone."""

    folder = property(lambda self: self.name)


def curve(variant, rule, *names, seed=0):
    runs = tuple(
        StoredRun(**dict.fromkeys(Run.__dataclass_fields__) | {"name": name, "other_rules": ()}) for name in names
    )
    return Curve("bert", "sst2", variant, seed, rule, runs)


def test_points_are_those_of_the_stored_outputs(tmp_path):
    outputs = {name: stored(tmp_path, name, seed) for seed, name in enumerate(("cosee", "slow", "fast"))}
    outputs["half"] = stored(tmp_path, "half", 9, depths=(2,))
    curves = [
        curve("cosee", "energy", "cosee"),
        curve("policy", "policy", "slow", "fast"),
        curve("half", "energy", "half"),
    ]
    found = matched_points(curves, 2.0, tmp_path)
    expected = {
        "cosee": matched_point([(outputs["cosee"], RULES["energy"])], 2.0),
        "half": matched_point([(outputs["half"], None)], 2.0),
    }
    for variant, point in expected.items():
        np.testing.assert_array_equal(found["sst2", variant][0].right, point.right)
    assert matched_points(curves[1:], 1.01, tmp_path) == {("sst2", "policy"): {0: None}, ("sst2", "half"): {0: None}}

    chosen = {
        "variant": ["cosee", "policy"],
        "model": ["cosee", "fast"],
        "threshold": [0.4, 0.5],
        "rule": ["energy", "policy"],
    }
    targets = pd.DataFrame(chosen | {"task": "sst2", "seed": 0})
    found = deployed_points(curves, targets, tmp_path)
    assert set(found) == {("sst2", "cosee"), ("sst2", "policy")}
    for (_, variant), rule, name, threshold in zip(
        found, ("energy", "policy"), ("cosee", "fast"), (0.4, 0.5), strict=True
    ):
        expected = deployed_point(outputs[name], RULES[rule], threshold)
        np.testing.assert_array_equal(found["sst2", variant][0].right, expected.right)
        assert found["sst2", variant][0].speedup == expected.speedup


def test_schedules_are_fitted_on_the_selection_split(tmp_path):
    sel, dev = stored(tmp_path, "vanilla", 3, split="sel"), stored(tmp_path, "vanilla", 4)
    fitted = {rule.name: rule for rule in RULES["eenet"].fit(sel.logits, sel.labels)}
    curves = [curve("eenet", "eenet", "vanilla")]
    row = {"task": "sst2", "variant": "eenet", "seed": 0, "model": "vanilla", "threshold": 2.0, "rule": "eenet-2"}
    found = deployed_points(curves, pd.DataFrame([row]), tmp_path)["sst2", "eenet"][0]
    expected = deployed_point(dev, fitted["eenet-2"], 2.0)
    np.testing.assert_array_equal(found.right, expected.right)
    assert found.speedup == expected.speedup
    choices = choose_members(sel, RULES["eenet"], "sst2", ())
    expected = matched_point([(dev, choice.curve) for choice in choices], 1.7)
    np.testing.assert_array_equal(matched_points(curves, 1.7, tmp_path)["sst2", "eenet"][0].right, expected.right)
