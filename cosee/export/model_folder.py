"""A finished run as a model folder of Hugging Face's transformers, with its tokenizer and a model card."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from math import isnan
from pathlib import Path
from typing import Any

import pandas as pd
from transformers import PreTrainedTokenizerFast

from cosee.data.tasks import TASKS
from cosee.data.tokens import max_positions
from cosee.errors import InputError
from cosee.evaluation.curve_frames import static_frame, tradeoff_frame
from cosee.evaluation.members import members_on
from cosee.evaluation.outputs import ExitOutputs, load_outputs
from cosee.evaluation.point_frames import static_targets_frame, targets_frame
from cosee.evaluation.risk import LOSSES
from cosee.evaluation.risk_levels import certified_levels
from cosee.evaluation.temperature import temperatures_of
from cosee.evaluation.tradeoff import downsample_curve
from cosee.exiting.rules import SCHEDULED, Rule
from cosee.exiting.schedules import Schedule, fit_schedules
from cosee.exiting.tempering import tempered
from cosee.export.hf_model import EarlyExitConfig, EarlyExitForSequenceClassification
from cosee.export.model_card import model_card
from cosee.io import read_json, write_text
from cosee.methods import rule_named
from cosee.models.loading import check_folder
from cosee.runs.stored import read_run, run_id, stored_predictions
from cosee.runs.weights import load_weights
from cosee.whole import whole_folder

MAX_POINTS = 200
"""Operating points of the trade-off table that a model keeps."""

SHOWN_POINTS = 12
"""Operating points in the model card."""

SPECIAL_TOKENS = {
    "pad_token": ("[PAD]", "<pad>", "<|padding|>", "<|endoftext|>", "</s>"),
    "unk_token": ("[UNK]", "<unk>"),
    "cls_token": ("[CLS]", "<s>"),
    "sep_token": ("[SEP]", "</s>"),
    "mask_token": ("[MASK]", "<mask>"),
}
"""Role of a special token in transformers -> its names in the vocabularies of encoders, the preferred one first.

Most decoders have no padding token and pad with the token that ends a text, which the attention mask hides.
"""


def export(
    run: str | Path,
    backbone: str | Path,
    destination: str | Path,
    rule: str | None = None,
    manifest: str | Path | None = None,
    confidence: float = 0.9,
    temperatures: str | None = None,
) -> None:
    """Write a finished run as a folder that `from_pretrained` reads once `cosee.export.hf_model` is imported.

    By default the model uses the slowest point of its trade-off table: the whole encoder, unless the thresholds of the
    method are fixed. The folder is written whole or not at all.

    Args:
        run: folder of the run, with run.json, model.safetensors and the predictions of the selection split.
        backbone: encoder folder that the run started from.
        destination: folder to write, which must not exist.
        rule: exit rule; None: the one used to select the run.
        manifest: `results/manifest.json` of the preset, with the origin of data and encoder; None: the card says that
            they are not recorded.
        confidence: of the thresholds that are certified for a risk, on the calibration examples if the run has any.
        temperatures: split whose labels fit a temperature for each exit; None: logits are used as they are. With "cal"
            no risk is certified, as its examples have shaped the scores.

    Raises:
        InputError: a file is missing, does not fit the others, `destination` exists, or the rule cannot be exported.
    """
    run, backbone = Path(run), Path(backbone)
    facts = read_run(run)
    check_folder(backbone)
    chosen = rule_named(rule or facts["run"]["rule"])
    if not chosen.is_online:
        raise InputError(
            f"exit rule {chosen.name!r} is offline-only (it needs all examples of a split); "
            "export with an online rule such as 'quantile'."
        )
    split = facts["selection_split"]
    predictions = stored_predictions(run, split)
    fitted = None
    if temperatures is not None and len(predictions.exit_depths) > 1:
        fitted = temperatures_of(stored_predictions(run, temperatures))
        chosen = tempered(chosen, fitted)
    schedules: Sequence[Schedule] = ()
    if chosen.fit is not None and len(predictions.exit_depths) > 1:
        if chosen.name != SCHEDULED:
            raise InputError(f"exit rule {chosen.name!r} is fitted, and only {SCHEDULED!r} can be exported fitted.")
        schedules = fit_schedules(predictions.logits, predictions.labels)
    table = tradeoff_table(facts, predictions, chosen)
    task = TASKS[facts["run"]["task"]]
    config = EarlyExitConfig(
        method=facts["run"]["method"],
        method_settings=facts["method"],
        encoder=read_json(backbone / "config.json"),
        rule=chosen.name,
        temperatures=fitted,
        schedules=[asdict(schedule) for schedule in schedules],
        tradeoff=[_point(row) for row in table.to_dict("records")],
        tradeoff_split=split,
        risks=[] if temperatures == "cal" or schedules else risk_table(run, chosen, confidence),
        columns=task.columns,
        id2label=dict(enumerate(task.classes)),
        label2id={name: index for index, name in enumerate(task.classes)},
    )
    config.threshold = config.tradeoff[0]["threshold"]
    model = EarlyExitForSequenceClassification(config)
    load_weights(model.model, run / "model.safetensors")

    shown = downsample_curve(table, SHOWN_POINTS)
    dev = run / "logits-dev.npz"
    if split != "dev" and dev.is_file():
        shown = with_dev(shown, facts, load_outputs(dev), chosen, predictions)
    context = None if manifest is None else read_manifest(manifest, facts["fingerprint"])
    with whole_folder(destination) as folder:
        model.save_pretrained(folder)
        tokenizer_of(backbone).save_pretrained(folder)
        write_text(folder / "README.md", model_card(facts, config, shown, context))


def read_manifest(path: str | Path, fingerprint: str) -> dict[str, Any]:
    """The manifest of the preset that the run with this fingerprint belongs to.

    Raises:
        InputError: the file is missing, damaged or of another preset.
    """
    manifest = read_json(path)
    runs = manifest.get("runs")
    if not isinstance(runs, list) or not all(isinstance(run, Mapping) for run in runs):
        raise InputError(f"{path}: is no manifest; expected the manifest.json of the run's preset.")
    if fingerprint not in [run.get("fingerprint") for run in runs]:
        raise InputError(f"{path}: does not list the run {fingerprint}; expected the manifest.json of its own preset.")
    return manifest


def tradeoff_table(facts: Mapping[str, Any], predictions: ExitOutputs, rule: Rule) -> pd.DataFrame:
    """Operating points of a run by increasing speed-up: speedup, threshold (NaN: no early exit), score."""
    split = facts["selection_split"]
    if len(predictions.exit_depths) == 1:
        curve = static_frame(run_id(facts), predictions, split)
    else:
        if rule.fit is None:
            curve = tradeoff_frame(run_id(facts), predictions, split, rule, MAX_POINTS)
        else:
            curve = _schedules_frame(facts, predictions, members_on(rule, predictions))
        if rule.thresholds is None:  # the sweep's first threshold equals the easiest score, up to rounding
            curve["threshold"] = curve["threshold"].where(curve["speedup"] > 1)
    return curve[["speedup", "threshold", "score"]]


def _schedules_frame(facts: Mapping[str, Any], predictions: ExitOutputs, rules: Sequence[Rule]) -> pd.DataFrame:
    """Full depth, and the operating point of every schedule, by increasing speed-up."""
    _, never = rules[0].range(predictions.logits.shape[-1], len(predictions.exit_depths))
    shown = [replace(rules[0], thresholds=(never,)), *rules]
    points = [tradeoff_frame(run_id(facts), predictions, facts["selection_split"], rule) for rule in shown]
    return pd.concat(points).sort_values("speedup", kind="stable", ignore_index=True)


def risk_table(run: Path, rule: Rule, confidence: float) -> list[dict[str, Any]]:
    """Certified levels of a run for each loss, from its outputs for the calibration examples; none without those."""
    file = run / "logits-cal.npz"
    if not file.is_file():
        return []
    outputs = load_outputs(file)
    if len(outputs.exit_depths) == 1:
        return []
    shared = {"confidence": confidence, "examples": len(outputs.labels)}
    return [
        {"loss": kind, **row._asdict(), **shared}
        for kind in LOSSES
        for row in certified_levels(outputs, rule, kind, confidence)
    ]


def with_dev(
    table: pd.DataFrame, facts: Mapping[str, Any], predictions: ExitOutputs, rule: Rule, selection: ExitOutputs
) -> pd.DataFrame:
    """The table with the results of its thresholds on dev: dev_speedup, dev_score; rules are fitted to `selection`."""
    if len(predictions.exit_depths) == 1:
        on_dev = static_targets_frame(run_id(facts), predictions, "dev")
    else:
        points = list(zip(table["speedup"], table["threshold"], strict=True))
        rules = members_on(rule, selection) if rule.fit is not None else [rule]
        by_threshold = {each.thresholds[0]: each for each in rules if each.thresholds}
        on_dev = pd.concat(
            targets_frame(run_id(facts), predictions, "dev", by_threshold.get(point[1], rules[0]), [point])
            for point in points
        )
    return table.assign(dev_speedup=on_dev["speedup"].to_numpy(), dev_score=on_dev["score"].to_numpy())


def tokenizer_of(backbone: Path) -> PreTrainedTokenizerFast:
    """The tokenizer that encoded the examples, unchanged; transformers' BERT class would build a new one."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(backbone / "tokenizer.json"),
        padding_side="right",
        model_max_length=max_positions(read_json(backbone / "config.json")),
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],  # transformers 5 would omit segments
    )
    # MPNet's vocabulary also holds BERT's names, as words: tokens marked as special have priority.
    known = tokenizer.added_tokens_encoder, tokenizer.get_vocab()
    names = {key: next((n for k in known for n in names if n in k), None) for key, names in SPECIAL_TOKENS.items()}
    tokenizer.add_special_tokens({key: name for key, name in names.items() if name is not None})
    return tokenizer


def _point(row: Mapping[str, float]) -> dict[str, float | None]:
    """A row of the table for JSON, which has no NaN."""
    return {name: None if isnan(value) else value for name, value in row.items()}
