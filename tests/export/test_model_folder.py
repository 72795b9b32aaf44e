"""A finished run as a model folder: its files, the model loaded from it, and its card."""

import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.runs import COSEE, HALF, TOKENS, do
from helpers.tiny import GOOD, LAYERS, PAD, token_split, write_backbone
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from cosee.data.batches import DeviceSplit
from cosee.errors import InputError
from cosee.evaluation.frames import RunId
from cosee.evaluation.outputs import load_outputs
from cosee.evaluation.risk_frames import risk_frame
from cosee.evaluation.temperature import fit_temperatures
from cosee.exiting.simulation import exit_layers, speedup_ratio
from cosee.export.model_folder import SHOWN_POINTS, export
from cosee.io import read_json, read_yaml, write_json
from cosee.methods import rule_named

ROOT = Path(__file__).parents[2]
MANIFEST = {
    "data": "generated rows",
    "backbones": {"bert": f"tiny-BERT ({LAYERS} layers)"},
    "runs": [
        {"task": "rte", "backbone": "bert", "name": name, "seed": seed, "fingerprint": fingerprint}
        for name, seed, fingerprint in (
            ("cosee-energy", 3, COSEE.fingerprint()),
            ("cosee-energy", 4, "0" * 16),
            ("other", 9, "1" * 16),
        )
    ],
}

WITH_CAL = TOKENS | {"cal": token_split(60, seed=9)}


@pytest.fixture(scope="module")
def runs(tiny_bert, tmp_path_factory):
    """Folders of two finished runs by name."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        return {run.name: do(run, folder, tiny_bert, patch) for run in (COSEE, HALF)}


@pytest.fixture(scope="module")
def exported(runs, tiny_bert, tmp_path_factory):
    """Model folder of the run trained with COSEE."""
    folder = tmp_path_factory.mktemp("exported")
    write_json(folder / "manifest.json", MANIFEST)
    export(runs["cosee-energy"], tiny_bert, folder / "deep" / "model", manifest=folder / "manifest.json")
    return folder / "deep" / "model"


@pytest.fixture(scope="module")
def certified(tiny_bert, tmp_path_factory):
    """Model folder of the same run with calibration examples, and the folder of the run."""
    folder = tmp_path_factory.mktemp("certified")
    with pytest.MonkeyPatch.context() as patch:
        run = do(COSEE, folder, tiny_bert, patch, tokens=WITH_CAL, splits=["sel", "cal", "dev"])
    export(run, tiny_bert, folder / "model")
    return folder / "model", run


def rows_of(split):
    """Arguments of the model for all rows of a split of the runs."""
    batch = DeviceSplit(WITH_CAL[split], torch.device("cpu"), PAD).batch(np.arange(len(WITH_CAL[split])))
    return {key: getattr(batch, key) for key in ("input_ids", "attention_mask", "token_type_ids")}


def test_the_folder_is_whole_and_readable(exported):
    names = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md"}
    assert {entry.name for entry in exported.iterdir()} == names
    assert [entry.name for entry in exported.parent.iterdir()] == ["model"]
    assert len({stat.S_IMODE(entry.stat().st_mode) for entry in exported.iterdir()}) == 1


def test_weights_logits_and_exits_are_those_of_the_run(exported, runs):
    model = AutoModelForSequenceClassification.from_pretrained(exported)
    trained = load_file(runs["cosee-energy"] / "model.safetensors")
    assert model.model.state_dict().keys() == trained.keys()
    assert all(torch.equal(value, trained[name]) for name, value in model.model.state_dict().items())
    for split in ("sel", "dev"):
        predictions = load_outputs(runs["cosee-energy"] / f"logits-{split}.npz")
        scores = predictions.exit_scores(model.rule)
        for target in (1.0, 2.0, 3.0, 4.0):
            point = model.set_speedup(target)
            threshold = np.nan if point["threshold"] is None else point["threshold"]
            output = model(**rows_of(split))
            layers = output.exit_layers.numpy()
            assert layers.tolist() == exit_layers(scores, threshold, model.rule.harder_is).tolist()
            taken = predictions.logits[np.arange(len(layers)), layers]
            np.testing.assert_allclose(output.logits.numpy(), taken, rtol=1e-4, atol=1e-5)
            if split == "sel":
                assert (
                    speedup_ratio(layers, LAYERS) == pytest.approx(point["speedup"]) == pytest.approx(target, rel=0.05)
                )
                right = taken.argmax(axis=1) == predictions.labels
                assert right.mean() == pytest.approx(point["score"])


def test_it_starts_as_the_whole_encoder(exported):
    model = AutoModelForSequenceClassification.from_pretrained(exported)
    assert model.config.threshold is None and model.config.tradeoff[0]["threshold"] is None
    assert model(**rows_of("dev")).exit_layers.tolist() == [LAYERS - 1] * len(TOKENS["dev"])
    assert model.config.tradeoff[0]["speedup"] == 1 and model.config.tradeoff_split == "sel"
    speedups = [point["speedup"] for point in model.config.tradeoff]
    assert speedups == sorted(set(speedups)) and speedups[-1] == LAYERS


@pytest.mark.parametrize("loss", ["same", "harm", "error"])
def test_a_certified_risk_is_that_of_the_running_model(loss, certified, tmp_path):
    """Thresholds, exits and realized risks of the model are those of the workflow's frame."""
    folder, run = certified
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    outputs = {split: load_outputs(run / f"logits-{split}.npz") for split in ("cal", "dev")}
    settings = {"levels": [0.2, 0.6, 0.9], "confidence": 0.9, "kinds": [loss], "procedures": ["ltt"]}
    identity = [RunId("rte", "bert", "cosee", 3, "cosee-energy")]
    frame = risk_frame(identity, [outputs["cal"]], {"dev": [outputs["dev"]]}, model.rule, **settings)
    certified_levels = 0
    for row in frame.itertuples():
        if np.isnan(row.threshold):
            with pytest.raises(InputError, match="set_risk: "):
                model.set_risk(row.level, loss)
            continue
        certified_levels += 1
        chosen = model.set_risk(row.level, loss)
        assert chosen["level"] <= row.level and (chosen["confidence"], chosen["examples"]) == (0.9, 60)
        on_cal, on_dev = model(**rows_of("cal")), model(**rows_of("dev"))
        assert speedup_ratio(on_cal.exit_layers.numpy(), LAYERS) == pytest.approx(chosen["speedup"])
        last = outputs["dev"].predicted[:, -1], outputs["dev"].labels
        answers = on_dev.logits.argmax(-1).numpy()
        wrong = {
            "same": answers != last[0],
            "harm": (last[0] == last[1]) & (answers != last[1]),
            "error": answers != last[1],
        }
        assert row.risk == pytest.approx(wrong[loss].mean())
        assert row.speedup == pytest.approx(speedup_ratio(on_dev.exit_layers.numpy(), LAYERS))
    assert certified_levels
    model.save_pretrained(tmp_path / "saved")
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved")
    assert again.config.threshold == model.config.threshold and again.config.risks == model.config.risks


def test_levels_that_are_not_certified_are_refused_with_the_examples_that_they_need(certified, exported):
    model, without = (AutoModelForSequenceClassification.from_pretrained(folder) for folder in (certified[0], exported))
    for call, message in (
        (
            lambda: model.set_risk(0.01),
            "a risk of 0.01 needs 230 calibration examples or more .* there are 60; ",
        ),
        (lambda: model.set_risk(0.05, "error"), "certified for no threshold with confidence 0.9 on 60 calibration"),
        (lambda: model.set_risk(5), "set_risk: 5 is no risk; expected a number between 0 and 1."),
        (
            lambda: model.set_risk(0.5, "gap"),
            "nothing is certified for the loss 'gap'; the model has same, harm, err",
        ),
        (lambda: without.set_risk(0.05), "the model has no certified thresholds; export a run"),
    ):
        with pytest.raises(InputError, match=message):
            call()
    assert model.config.threshold is None  # a refusal changes nothing


def test_the_card_shows_certified_risks(certified, exported):
    assert "## Risk" in (certified[0] / "README.md").read_text()
    assert "## Risk" not in (exported / "README.md").read_text()


def test_the_tokenizer_gives_the_ids_of_training(exported, tiny_bert):
    own, original = AutoTokenizer.from_pretrained(exported), Tokenizer.from_file(str(tiny_bert / "tokenizer.json"))
    for pair in (("The film was good",), ("We liked it", "they went home, not now")):
        expected, found = original.encode(*pair), own(*pair)
        assert found["input_ids"] == expected.ids and found["token_type_ids"] == expected.type_ids
    assert (own.pad_token, own.cls_token, own.model_max_length) == ("[PAD]", "[CLS]", 32)
    longest = own("good " * 50, truncation=True)["input_ids"]
    assert len(longest) == 32 and own.unk_token_id not in longest


def test_the_pipeline_classifies_texts_and_pairs(exported):
    classify = pipeline("text-classification", model=str(exported))
    classify.model.set_speedup(2.0)
    pairs = [
        {"text": f"the film was {word}", "text_pair": "we liked it a" + " lot" * length}
        for length, word in enumerate(GOOD)
    ]
    together, alone = classify(pairs, batch_size=4), [classify(pair) for pair in pairs]
    for one, other, pair in zip(together, alone, pairs, strict=True):
        assert one["label"] == other["label"] and one["score"] == pytest.approx(other["score"], rel=1e-4)
        logits = classify.model(**classify.tokenizer(**pair, return_tensors="pt")).logits[0]
        assert one["score"] == pytest.approx(logits.softmax(0).max().item(), rel=1e-4)
        assert one["label"] == ("entailment", "not_entailment")[int(logits.argmax())]


@pytest.mark.parametrize(
    ("kind", "pad"),
    [
        *((kind, "<pad>") for kind in ("roberta", "xlm-roberta")),
        *((kind, "[PAD]") for kind in ("electra", "distilbert", "deberta-v2", "modernbert")),
        *((kind, "<|endoftext|>") for kind in ("gpt2", "gpt_neox", "llama", "mamba", "mamba2")),
    ],
)
def test_a_model_of_every_family_classifies_texts_and_pairs(kind, pad, tmp_path, monkeypatch):
    """In a batch as alone, although decoders have no token for padding; by the ids that its tokenizer gave."""
    folder = write_backbone(tmp_path / kind, kind)
    export(do(COSEE, tmp_path / "runs", folder, monkeypatch), folder, tmp_path / "model")
    classify = pipeline("text-classification", model=str(tmp_path / "model"))
    assert classify.tokenizer.pad_token == pad and classify.tokenizer.padding_side == "right"
    original = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for texts in (("the film was good",), ("we liked it", "they went home")):
        assert classify.tokenizer(*texts)["input_ids"] == original.encode(*texts).ids
    classify.model.set_speedup(2.0)
    pairs = [
        {"text": f"the film was {word}", "text_pair": "we liked it a" + " very" * length}
        for length, word in enumerate(GOOD)
    ]
    for texts in (pairs, [{"text": pair["text_pair"]} for pair in pairs]):
        for one, other in zip(classify(texts, batch_size=4), (classify(text) for text in texts), strict=True):
            assert one["label"] == other["label"] and one["score"] == pytest.approx(other["score"], rel=1e-4)


def test_a_static_model_is_exported_with_its_one_point(runs, tiny_bert, tmp_path):
    export(runs["half"], tiny_bert, tmp_path / "model")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    predictions = load_outputs(runs["half"] / "logits-dev.npz")
    output = model(**rows_of("dev"))
    np.testing.assert_allclose(output.logits.numpy(), predictions.logits[:, 0], rtol=1e-4, atol=1e-5)
    assert output.exit_layers.tolist() == [1] * len(predictions.labels)
    assert [point["speedup"] for point in model.config.tradeoff] == [2.0]
    assert "source not recorded" in (tmp_path / "model" / "README.md").read_text()


def test_the_card_says_what_the_run_was(exported, tmp_path):
    _, header, text = (exported / "README.md").read_text().split("---\n", 2)
    (tmp_path / "header.yaml").write_text(header)
    assert read_yaml(tmp_path / "header.yaml")["pipeline_tag"] == "text-classification"
    assert "| generated rows, RTE |" in text and f"| tiny-BERT ({LAYERS} layers) |" in text
    assert "| 3; this variant was trained with 3, 4 |" in text and "40 fit, 24 sel, 20 dev" in text
    assert "cosee: signal = energy, alpha = 0.1" in text and "learning_rate = 0.01" in text
    config = read_json(exported / "config.json")
    assert f"all {len(config['tradeoff'])} points" in text
    lines = [line.strip("| ").split("|") for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line] for line in lines if len(line) == 5 and line[0].strip()[0].isdigit()]
    assert [row[1] for row in cells].count("none") == 1 and cells[0][:2] == ["1.00", "none"]
    rows = [[float(cell.replace("none", "nan")) for cell in row] for row in cells]
    assert len(rows) == SHOWN_POINTS and [row[0] for row in rows] == sorted(row[0] for row in rows)
    point = next(p for p in config["tradeoff"] if round(p["speedup"], 2) == rows[-1][0])
    assert rows[-1][2] == pytest.approx(100 * point["score"], abs=0.06)
    nearest = min((row[0] for row in rows), key=lambda speedup: abs(speedup - 2))
    assert f"set_speedup({nearest:.2f})" in text


def test_the_dev_columns_of_the_card_are_those_of_its_thresholds(exported, runs):
    model = AutoModelForSequenceClassification.from_pretrained(exported)
    predictions = load_outputs(runs["cosee-energy"] / "logits-dev.npz")
    fastest = model.config.tradeoff[-1]["threshold"]
    layers = exit_layers(predictions.exit_scores(model.rule), fastest, model.rule.harder_is)
    score = (predictions.predicted[np.arange(len(layers)), layers] == predictions.labels).mean()
    *_, last = (line for line in (exported / "README.md").read_text().splitlines() if line.startswith("|"))
    shown = [float(cell) for cell in last.strip("| ").split("|")[3:]]
    assert shown == [pytest.approx(speedup_ratio(layers, LAYERS), abs=0.006), pytest.approx(100 * score, abs=0.06)]


def test_another_rule_than_the_run_s_own(runs, tiny_bert, tmp_path):
    export(runs["cosee-energy"], tiny_bert, tmp_path / "model", rule="patience")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    assert model.rule.name == "patience"
    predictions = load_outputs(runs["cosee-energy"] / "logits-sel.npz")
    point = model.config.tradeoff[-1]
    model.set_threshold(point["threshold"])
    simulated = exit_layers(predictions.exit_scores(model.rule), point["threshold"], "smaller")
    assert model(**rows_of("sel")).exit_layers.tolist() == simulated.tolist()


def test_temperatures_travel_with_the_model(runs, tiny_bert, tmp_path):
    export(runs["cosee-energy"], tiny_bert, tmp_path / "model", rule="geometric", temperatures="sel")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    predictions = load_outputs(runs["cosee-energy"] / "logits-sel.npz")
    temperatures = fit_temperatures(predictions.logits, predictions.labels)
    assert model.config.temperatures == temperatures.tolist()
    answers = rule_named("geometric").answers(predictions.logits / temperatures[:, None])
    np.testing.assert_allclose(model(**rows_of("sel")).logits.numpy(), answers[:, -1], rtol=1e-4, atol=1e-4)
    point = model.config.tradeoff[-1]
    model.set_threshold(point["threshold"])
    assert speedup_ratio(model(**rows_of("sel")).exit_layers.numpy(), LAYERS) == pytest.approx(point["speedup"])


@pytest.mark.parametrize(
    ("rule", "message"),
    [("sampled", "is offline-only"), ("quantile", "reads learned scores"), ("hunch", "'hunch' is unknown")],
)
def test_rules_that_the_model_cannot_exit_by(rule, message, runs, tiny_bert, tmp_path):
    with pytest.raises(InputError, match=message):
        export(runs["cosee-energy"], tiny_bert, tmp_path / "model", rule=rule)
    assert not list(tmp_path.iterdir())


def test_a_destination_that_exists_is_left_alone(runs, tiny_bert, tmp_path):
    (tmp_path / "kept.txt").touch()
    with pytest.raises(InputError, match="exists already"):
        export(runs["cosee-energy"], tiny_bert, tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept.txt"]


def test_another_encoder_or_no_weights_are_named(runs, tiny_bert, tmp_path, monkeypatch):
    wide = write_backbone(tmp_path / "wide", "bert", hidden_size=20)
    with pytest.raises(InputError, match=r"model\.safetensors: does not fit the encoder \(size mismatch"):
        export(runs["cosee-energy"], wide, tmp_path / "model")
    bare = do(replace(COSEE, seed=5), tmp_path, tiny_bert, monkeypatch, keep_weights=False)
    with pytest.raises(InputError, match="name the variant in `keep_weights`"):
        export(bare, tiny_bert, tmp_path / "model")
    with pytest.raises(InputError, match=r"run\.json: no such file"):
        export(tmp_path / "nothing", tiny_bert, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_the_readme_s_lines_run(runs, tiny_bert, tmp_path, monkeypatch, capsys):
    section = (ROOT / "README.md").read_text().split("## Use a trained model")[1].split("\n## ")[0]
    code = section.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "results/runs/bert/sst2/cosee-energy/final/seed0"
    run.parent.mkdir(parents=True)
    run.symlink_to(runs["cosee-energy"])
    backbone = tmp_path / "resources/backbones/bert"
    backbone.parent.mkdir(parents=True)
    backbone.symlink_to(tiny_bert)
    write_json(tmp_path / "results/manifest.json", MANIFEST)
    exec(code, {})
    assert (tmp_path / "exported" / "model.safetensors").is_file()
    assert "'label': " in capsys.readouterr().out
