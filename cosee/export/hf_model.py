"""Trained models as models of Hugging Face's transformers: saved, loaded and used like any other, with early exit.

Importing this module registers them with `AutoConfig`, `AutoModelForSequenceClassification` and pipelines.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from cosee.data.batches import Batch
from cosee.errors import InputError
from cosee.evaluation.risk_levels import CertifiedLevel, refusal, within
from cosee.exiting.online import early_exit, last_exit
from cosee.exiting.rules import Rule, check_threshold, scheduled
from cosee.exiting.schedules import read_schedule
from cosee.exiting.tempering import tempered
from cosee.methods import make_method, rule_named
from cosee.models.loading import empty_backbone

Point = Mapping[str, float | None]
"""An operating point: speedup (in layers), threshold (None: no early exit) and score (0 to 1)."""


class EarlyExitConfig(PreTrainedConfig):
    """Structure of a multi-exit model, and its exit rule.

    Attributes:
        method: key in `METHODS`.
        method_settings: hyper-parameters of the method.
        encoder: transformers configuration of the encoder.
        rule: exit rule.
        schedules: fitted schedules of the exits (`cosee.exiting.schedules`), of which the threshold, a speed-up,
            chooses one; empty: the rule has none.
        temperatures: one per exit, by which its logits are divided before the rule reads them; None: all 1.
        tradeoff: operating points by increasing speed-up, measured on `tradeoff_split`.
        tradeoff_split: split on which they were measured.
        risks: certified levels by increasing size, for each loss: loss, level, threshold, speedup (on the calibration
            examples), confidence, examples (their number).
        columns: names of the one or two texts of an example, in the order of the tokenizer's arguments.
        threshold: current threshold; None: no early exit.
        check_every: run the exit test every `check_every` layers (`cosee.exiting.online.early_exit`).
    """

    model_type = "early-exit"

    def __init__(
        self,
        method: str = "cosee",
        method_settings: Mapping[str, Any] | None = None,
        encoder: Mapping[str, Any] | None = None,
        rule: str = "energy",
        tradeoff: Sequence[Point] = (),
        tradeoff_split: str = "sel",
        risks: Sequence[Mapping[str, Any]] = (),
        columns: Sequence[str] = ("text",),
        threshold: float | None = None,
        check_every: int = 1,
        temperatures: Sequence[float] | None = None,
        schedules: Sequence[Mapping[str, Any]] = (),
        **kwargs: Any,
    ) -> None:
        """Set the attributes, and those of every configuration (`id2label`, ...)."""
        self.method = method
        self.method_settings = dict(method_settings or {})
        self.encoder = dict(encoder or {"model_type": "bert"})
        self.rule = rule
        self.tradeoff = [dict(point) for point in tradeoff]
        self.tradeoff_split = tradeoff_split
        self.risks = [dict(row) for row in risks]
        self.columns = list(columns)
        self.threshold = threshold
        self.check_every = check_every
        self.temperatures = None if temperatures is None else list(temperatures)
        self.schedules = [dict(row) for row in schedules]
        super().__init__(**kwargs)


def rules_by_speedup(config: EarlyExitConfig) -> dict[float, Rule]:
    """The rules of the schedules of a model; empty if its rule has none.

    Raises:
        InputError: a schedule is damaged.
    """
    return {schedule.speedup: scheduled(schedule) for schedule in map(read_schedule, config.schedules)}


def check_config(config: EarlyExitConfig) -> None:
    """Check what a config.json says of early exit, which a person may have changed.

    Raises:
        InputError: the exit rule is unknown, a threshold or row of the trade-off table is no number, there are not one
            or two names of texts, or the schedules are damaged.
    """
    rule_named(config.rule)
    schedules = rules_by_speedup(config)
    if schedules and config.threshold not in (None, *schedules):
        allowed = " or ".join(f"{speedup:g}" for speedup in schedules)
        raise InputError(f"config.json: threshold is {config.threshold!r}; its schedules are for {allowed}.")
    if not _is_number(config.threshold, or_none=True):
        raise InputError(f"config.json: threshold is {config.threshold!r}; expected a number, or null.")
    for row in config.tradeoff:
        if not (_is_number(row.get("speedup")) and _is_number(row.get("threshold"), or_none=True)):
            raise InputError(f"config.json: {row!r} is no row of a trade-off table; expected speedup and threshold.")
    if len(config.columns) not in (1, 2):
        raise InputError(f"config.json: columns is {config.columns!r}; expected one or two names.")
    if not isinstance(config.check_every, int) or config.check_every < 1:
        raise InputError(f"config.json: check_every is {config.check_every!r}; expected a whole number above 0.")


def _is_number(value: Any, or_none: bool = False) -> bool:
    if value is None:
        return or_none
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


@dataclass
class EarlyExitOutput(SequenceClassifierOutput):
    """Answer [B, C] at the exit that each example took (of most rules its logits), and the exit layers [B], 0-based."""

    exit_layers: Tensor | None = None


class EarlyExitForSequenceClassification(PreTrainedModel):
    """A multi-exit model of any method, for inference: every example takes the first exit at which the rule fires."""

    config_class = EarlyExitConfig
    main_input_name = "input_ids"

    def __init__(self, config: EarlyExitConfig) -> None:
        """Build the method's model; its weights are to be loaded."""
        check_config(config)
        super().__init__(config)
        method = make_method(config.method, config.method_settings)
        # transformers may set the meta device here, on which the heads' seeded generators cannot draw.
        with torch.device("cpu"):
            self.model = method.build(empty_backbone(config.encoder), config.num_labels, seed=0)
        # `from_pretrained` recreates buffers that are in no file (BERT's position ids), but only if this flag is off.
        for module in self.model.modules():
            module._is_hf_initialized = False
        self.post_init()

    @property
    def num_tokens(self) -> int:
        """Token ids that the encoder knows."""
        return self.model.backbone.encoder.get_input_embeddings().num_embeddings

    @property
    def rule(self) -> Rule:
        """The exit rule, with the temperatures of the exits if there are some; of schedules the one in use."""
        schedules = rules_by_speedup(self.config)
        if schedules:
            return schedules.get(self.config.threshold, next(iter(schedules.values())))
        rule = rule_named(self.config.rule)
        return rule if self.config.temperatures is None else tempered(rule, self.config.temperatures)

    def set_speedup(self, target: float, tolerance: float = 0.05) -> Point:
        """Choose the threshold that gave this speed-up on the split of the trade-off table.

        On other data the speed-up will be similar. `save_pretrained` keeps the choice.

        Args:
            target: layers of the full encoder over layers executed per example, on average.
            tolerance: largest relative distance of the nearest operating point from the target.

        Returns:
            The chosen operating point; of two equally close ones the slower.

        Raises:
            InputError: no operating point is close enough; the message gives the available range.
        """
        table = self.config.tradeoff
        if not table:
            raise InputError(
                "set_speedup: the model has no trade-off table; use set_threshold, or export the model again."
            )
        point = min(table, key=lambda row: abs(row["speedup"] - target))
        if not abs(point["speedup"] - target) <= tolerance * target < inf:
            raise InputError(
                f"set_speedup: the trade-off table has nothing within {tolerance:.0%} of {target:g}x; "
                f"it gives {_offer(table, point)}."
            )
        self.config.threshold = point["threshold"]
        return dict(point)

    def set_risk(self, level: float, loss: str = "same") -> dict[str, Any]:
        """Choose the fastest threshold that is certified for a risk; `save_pretrained` keeps the choice.

        With the confidence of the certificate, the share of examples with the loss is at most `level`, if they are
        drawn like the calibration examples. The level must be chosen before its speed-up is looked at.

        Args:
            level: largest risk, between 0 and 1.
            loss: `same`, the answer differs from that of the last exit; `harm`, the last exit is right and the answer
                is wrong; `error`, the answer is wrong.

        Returns:
            The row of the configuration's `risks`: level, threshold, speedup, loss, confidence, examples.

        Raises:
            InputError: the level is not certified; the message has the number of examples that it needs at least.
        """
        if not 0 < level < 1:
            raise InputError(f"set_risk: {level:g} is no risk; expected a number between 0 and 1.")
        if not self.config.risks:
            raise InputError(
                "set_risk: the model has no certified thresholds; export a run with more than one exit that has "
                "calibration examples (`protocol.cal_max`, or `cosee train --cal-max`)."
            )
        rows = [row for row in self.config.risks if row["loss"] == loss]
        if not rows:
            known = ", ".join(dict.fromkeys(row["loss"] for row in self.config.risks))
            raise InputError(f"set_risk: nothing is certified for the loss {loss!r}; the model has {known}.")
        levels = [CertifiedLevel(row["level"], row["threshold"], row["speedup"]) for row in rows]
        chosen = within(levels, level)
        if chosen is None:
            raise InputError(f"set_risk: {refusal(level, rows[0]['confidence'], rows[0]['examples'], levels)}")
        self.config.threshold = chosen.threshold
        return dict(rows[levels.index(chosen)])

    def set_threshold(self, threshold: float) -> None:
        """Choose a threshold: examples take the first exit whose score passes it; `save_pretrained` keeps the choice.

        Raises:
            InputError: the model has a single exit, or the rule has no such threshold.
        """
        if self.model.num_exits == 1:
            raise InputError("set_threshold: the model has a single exit and needs no threshold.")
        schedules, rule = rules_by_speedup(self.config), self.rule
        if not schedules:
            check_threshold(threshold, rule, self.config.num_labels, self.model.num_exits)
        possible = tuple(schedules) or rule.thresholds
        if possible is not None and threshold not in possible:
            allowed = " or ".join(f"{value:g}" for value in possible)
            raise InputError(
                f"set_threshold: the exit rule {self.config.rule} has no threshold but {allowed}, got {threshold:g}."
            )
        self.config.threshold = float(threshold)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> EarlyExitOutput:
        """Classify a padded batch, each example at its own exit; no gradients.

        Padding may stand on either side: the result is that of padding on the right, on which decoders rely.

        Args:
            input_ids: token ids [B, T].
            attention_mask: true for tokens that are not padding [B, T]; None: no padding.
            token_type_ids: segment of every token [B, T]; None: the first.

        Raises:
            InputError: the model is in training mode.
        """
        if self.training:
            raise InputError(
                "an early-exit model is for inference, but is in training mode; call `model.eval()` first."
            )
        segments = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        if attention_mask is not None:
            order = attention_mask.long().argsort(dim=1, descending=True, stable=True)
            input_ids, segments, attention_mask = (
                values.gather(1, order) for values in (input_ids, segments, attention_mask)
            )
        unlabeled = input_ids.new_full((len(input_ids),), -1)
        batch = Batch(input_ids, attention_mask, segments, unlabeled, unlabeled)
        threshold = self.config.threshold
        if threshold is None or self.model.num_exits == 1:
            last = torch.full_like(unlabeled, self.model.exit_depths[-1] - 1)
            rule = self.rule if self.model.num_exits > 1 else None
            return EarlyExitOutput(logits=last_exit(self.model, batch, rule), exit_layers=last)
        logits, exits = early_exit(self.model, batch, self.rule, threshold, check_every=self.config.check_every)
        return EarlyExitOutput(logits=logits, exit_layers=exits)


def _offer(table: Sequence[Point], nearest: Point) -> str:
    """The speed-ups of a table in words."""
    if len(table) == 1:
        return f"{nearest['speedup']:.3g}x alone"
    low, high = table[0]["speedup"], table[-1]["speedup"]
    return f"{len(table)} operating points from {low:.3g}x to {high:.3g}x, {nearest['speedup']:.3g}x being the nearest"


AutoConfig.register(EarlyExitConfig.model_type, EarlyExitConfig)
AutoModelForSequenceClassification.register(EarlyExitConfig, EarlyExitForSequenceClassification)
