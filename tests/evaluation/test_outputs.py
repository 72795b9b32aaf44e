from dataclasses import replace

import numpy as np
import pytest
from helpers.ensembles import geometric_of, majority_of, mean_of

from cosee.errors import InputError
from cosee.evaluation.outputs import ExitOutputs, load_outputs, save_outputs
from cosee.exiting.rules import RULES


def make_predictions(num_samples=7, num_layers=4, num_classes=2):
    rng = np.random.default_rng(0)
    return ExitOutputs(
        logits=rng.normal(size=(num_samples, num_layers, num_classes)).astype(np.float32),
        labels=rng.integers(0, num_classes, num_samples),
        idx=np.arange(num_samples)[::-1].copy(),
        num_layers=num_layers,
        exit_depths=tuple(range(1, num_layers + 1)),
        exit_costs=tuple(1.01 * depth for depth in range(1, num_layers + 1)),
    )


def test_what_is_saved_is_loaded_bit_by_bit(tmp_path):
    path, predictions = tmp_path / "logits-dev.npz", make_predictions()
    save_outputs(path, predictions)
    loaded = load_outputs(path)
    for name in ("logits", "labels", "idx"):
        assert getattr(loaded, name).dtype == getattr(predictions, name).dtype
        np.testing.assert_array_equal(getattr(loaded, name), getattr(predictions, name))
    assert (loaded.num_layers, loaded.exit_depths) == (4, (1, 2, 3, 4))
    assert loaded.exit_costs == predictions.exit_costs and loaded.learned_scores is None
    assert [entry.name for entry in tmp_path.iterdir()] == ["logits-dev.npz"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "logits-dev.npz"
    save_outputs(path, make_predictions())
    before = path.read_bytes()

    def interrupted(file, **arrays):
        file.write_bytes(b"half a fi")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_outputs(path, make_predictions(num_samples=9))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("share", [0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_an_error_that_names_it(tmp_path, share):
    path = tmp_path / "logits-dev.npz"
    save_outputs(path, make_predictions())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"logits-dev\.npz"):
        load_outputs(path)


@pytest.mark.parametrize("foreign", [{"weights": np.ones(3)}, {"logits": np.ones(3)}])
def test_a_file_of_another_kind_is_an_error_that_names_it(tmp_path, foreign):
    path = tmp_path / "logits-dev.npz"
    np.savez(path, **foreign)
    with pytest.raises(InputError, match=r"logits-dev\.npz: not a file of exit outputs"):
        load_outputs(path)


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(InputError, match=r"absent\.npz"):
        load_outputs(tmp_path / "absent.npz")


@pytest.mark.parametrize(
    "change",
    [
        {"labels": np.zeros(6, int)},
        {"idx": np.zeros(8, int)},
        {"exit_depths": (1, 2, 3)},
        {"logits": np.zeros((7, 4))},
    ],
)
def test_shapes_that_do_not_fit_are_refused(change):
    with pytest.raises(InputError, match="do not fit"):
        ExitOutputs(**(vars(make_predictions()) | change))


def test_scores_are_float64_of_the_internal_exits():
    predictions = make_predictions()
    scores = predictions.exit_scores(RULES["energy"])
    assert scores.dtype == np.float64 and scores.shape == (7, 3)
    f = predictions.logits[2, 1].astype(float)
    assert scores[2, 1] == pytest.approx(1 / (1 + np.exp(f).sum()))
    assert predictions.predicted[2, 1] == f.argmax()


@pytest.mark.parametrize("rule", ["geometric", "mean", "voting", "beem", "energy", None])
def test_an_exit_answers_by_the_exits_up_to_it_if_the_rule_says_so(rule):
    predictions = make_predictions(num_samples=40, num_classes=3)
    define = {"geometric": geometric_of, "mean": mean_of, "voting": majority_of}.get(rule, lambda exits: exits)
    expected = np.array([define(exits) for exits in predictions.logits.tolist()]).argmax(axis=-1)
    answers = predictions.answers(rule and RULES[rule])
    np.testing.assert_array_equal(answers, expected)
    assert (answers == predictions.predicted).all() == (rule in ("beem", "energy", None))


def test_learned_scores_are_kept_and_read_by_the_rules_that_need_them(tmp_path):
    learned = np.random.default_rng(1).random((7, 4)).astype(np.float32)
    predictions = ExitOutputs(**vars(make_predictions()) | {"learned_scores": learned})
    save_outputs(tmp_path / "logits-dev.npz", predictions)
    loaded = load_outputs(tmp_path / "logits-dev.npz")
    np.testing.assert_array_equal(loaded.learned_scores, learned)
    np.testing.assert_array_equal(loaded.exit_scores(RULES["uncertainty"]), learned[:, :-1].astype(np.float64))
    with pytest.raises(InputError, match="exit rule uncertainty: reads learned scores"):
        make_predictions().exit_scores(RULES["uncertainty"])
    with pytest.raises(InputError, match=r"Learned scores of shape \(7, 3\) do not fit logits of shape \(7, 4, 2\)"):
        ExitOutputs(**vars(make_predictions()) | {"learned_scores": learned[:, :3]})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"logits": np.full((7, 4, 2), "x")}, "its arrays are of other types"),
        ({"labels": np.full(7, 9)}, "it has labels from 9 to 9 of 2 classes"),
        ({"labels": np.full(7, 0.5)}, "its arrays are of other types"),
        ({"logits": np.zeros((0, 4, 2)), "labels": np.zeros(0, int), "idx": np.zeros(0, int)}, "it has no examples"),
        ({"exit_costs": (1.0, 2.0)}, r"its 4 exits have the costs \(1.0, 2.0\)"),
        ({"exit_costs": (1.0, 2.0, 3.0, float("nan"))}, "its 4 exits have the costs"),
        ({"num_layers": 2}, "its exits .* are none of 2 layers"),
        ({"exit_depths": (1, 2, 2, 4)}, "its exits .* are none of 4 layers"),
    ],
)
def test_values_that_no_prediction_gives_are_refused(changes, sentence, tmp_path):
    path = tmp_path / "logits-dev.npz"
    save_outputs(path, replace(make_predictions(), **changes))
    with pytest.raises(InputError, match=rf"logits-dev\.npz: not a file of exit outputs \({sentence}"):
        load_outputs(path)
