"""Entries of a configuration, typed: variants, experiments, and what tables, figures and timings show.

The description of each field is the explanation in `config/README.md` and in the schema. What an entry is (static,
with an exit rule of its own, ...) is an attribute here and derived nowhere else.
"""

from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from cosee.data.tasks import TASKS
from cosee.exiting.signals import SIGNALS
from cosee.plugins import NAME, Registry


def _each_once(values: list[Any]) -> list[Any]:
    twice = [value for index, value in enumerate(values) if value in values[:index]]
    if twice:
        raise ValueError(f"lists {twice[0]!r} twice")
    return values


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"is {value!r}; expected a number")
    return value


def _scalar(value: Any) -> Any:
    if not isinstance(value, bool | int | float | str) or (isinstance(value, float) and not isfinite(value)):
        raise ValueError(f"is {value!r}; expected a number, true, false or a text")
    return value


def _name_in(registry: Registry[Any]) -> Any:
    """The type of names in a registry; the schema gives the project's own, as packages may add others."""

    def check(name: str) -> str:
        if name not in registry:
            raise ValueError(f"is {name!r}; expected one of {', '.join(registry)}")
        return name

    form = {"type": "string", "pattern": f"^{NAME.pattern}$", "examples": [*registry.own]}
    return Annotated[str, AfterValidator(check), WithJsonSchema(form)]


Number = Annotated[Any, AfterValidator(_number), WithJsonSchema({"type": "number"})]
"""A number as it was written: 32 stays whole, as names of grid points and fingerprints tell 32 from 32.0."""
Scalar = Annotated[Any, AfterValidator(_scalar), WithJsonSchema({"type": ["number", "boolean", "string"]})]
TaskName = _name_in(TASKS)
SignalName = _name_in(SIGNALS)
Tasks = Annotated[list[TaskName], Field(min_length=1), AfterValidator(_each_once)]
Signals = Annotated[list[SignalName], Field(min_length=1), AfterValidator(_each_once)]
Names = Annotated[list[str], AfterValidator(_each_once)]
Seeds = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1), AfterValidator(_each_once)]
Speedups = Annotated[list[Annotated[float, Field(ge=1)]], Field(min_length=1), AfterValidator(_each_once)]
Values = Annotated[list[Number], Field(min_length=1), AfterValidator(_each_once)]
Counts = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1), AfterValidator(_each_once)]


class Entry(BaseModel):
    """A part of a configuration: no other keys than its fields, no value that must be converted, never changed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, protected_namespaces=())


class Training(Entry):
    """Settings of the training loop (`cosee.training.settings`); those that are not given are decided elsewhere."""

    learning_rate: float | None = Field(None, gt=0, description="peak rate of AdamW")
    batch_size: int | None = Field(None, ge=1, description="examples per optimizer step")
    epochs: int | None = Field(None, ge=1, description="passes over the fit split")
    warmup: float | None = Field(None, ge=0, le=1, description="share of the steps with a rising learning rate")
    head_factor: float | None = Field(
        None, gt=0, description="learning rate of heads and of a fresh pooler, in multiples of that of the encoder"
    )
    weight_decay: float | None = Field(None, ge=0, description="on all weights but biases and those of norms")
    clip: float | None = Field(None, gt=0, description="largest gradient norm")
    accumulation: int | None = Field(None, ge=1, description="forward passes per optimizer step")
    precision: Literal["fp32", "bf16"] | None = Field(
        None,
        description="of the encoder in training; heads and losses are fp32 in either. "
        "On a CPU bf16 pays only where it multiplies matrices in bfloat16 (AMX)",
    )
    checkpoint: Literal["best", "last"] | None = Field(
        None, description="the epoch with the highest criterion on the selection split, or the last one"
    )
    eval_batch_size: int | None = Field(None, ge=1, description="examples per batch in prediction")
    save_minutes: float | None = Field(None, ge=0, description="how often the state of a long run is saved")

    @property
    def given(self) -> dict[str, Any]:
        """The settings that are given, by name."""
        return self.model_dump(exclude_none=True)


class Variant(Entry):
    """Something that is trained and shown: a method with its settings, and the rule by which it exits."""

    label: str = Field(description="name in tables and figures")
    method: str = Field(description="training method, a module of `cosee.methods`")
    depths: Literal["full", "half", "others"] | None = Field(
        None,
        description="models of the first k layers, fine-tuned alone and without early exit: of all layers, of half of "
        "them, or one for each other k",
    )
    rule: str | None = Field(
        None,
        description="exit rule of a method that has one of its own: a signal, `patience`, `pcee`, `fpabee`, "
        "`uncertainty`, `quantile`, `policy`, `safe`, `gate`, `jeidnn` (the same at one half), `sampled` "
        "(PonderNet's, for whole splits only), `beem`, one that answers by an ensemble of the exits (`geometric`, "
        "`mean`, `voting`), or one that comes with a method; the results of such variants are in "
        "`results/<task>/rule_*.csv`. Default: the signals",
    )
    models_from: str | None = Field(
        None,
        description="nothing is trained: `rule` is applied to that variant's models, or to those that have the "
        "hyper-parameters in `fixed`; `null` gives it its own after all",
    )
    one_model_per: dict[str, Values] | None = Field(
        None,
        min_length=1,
        max_length=1,
        description="for a method without a threshold at test time: one hyper-parameter and its values; a model is "
        "trained for each, and together they are the curve",
    )
    trained_with_signal: bool = Field(
        True, description="false if training does not depend on the signal: one model then serves all signals"
    )
    fixed: dict[str, Scalar] = Field(default_factory=dict, description="hyper-parameters of the method, see below")
    fixed_by_task: dict[TaskName, dict[str, Scalar]] = Field(
        default_factory=dict, description="task → keys of `fixed` that differ"
    )
    tune: Names = Field(default_factory=list, description="axes of `grid` that it is tuned on. Default: key `tune`")
    tuned_as: str | None = Field(
        None, description="no search of its own: the variant whose chosen grid point it takes. Default: key `tuned_as`"
    )
    seeds: Seeds | None = Field(None, description="other seeds than those of its experiments")
    training: Training = Field(
        default_factory=Training, description="keys of `training` in which it differs, such as a published recipe"
    )
    training_by_task: dict[TaskName, Training] = Field(
        default_factory=dict, description="task → keys of its `training` that differ"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "Variant":
        if self.rule is None and (self.reuses_models or self.one_model_per):
            raise ValueError("needs a `rule` by which its models exit")
        if self.tune and self.tuned_as:
            raise ValueError("has both `tune` and `tuned_as`; choose one")
        for axis in self.tune:
            if any(axis in fixed for fixed in (self.fixed, *self.fixed_by_task.values())):
                raise ValueError(f"both fixes and tunes {axis!r}; choose one")
        return self

    @property
    def is_static(self) -> bool:
        """Whether its models have one exit, their last layer."""
        return self.depths is not None

    @property
    def exits_by_own_rule(self) -> bool:
        """Whether it has an exit rule of its own, in place of a signal of the experiment."""
        return self.rule is not None

    @property
    def reuses_models(self) -> bool:
        """Whether nothing is trained for it."""
        return self.models_from is not None

    @property
    def has_threshold(self) -> bool:
        """Whether a threshold, chosen at test time, sets its speed-up."""
        return not self.is_static and self.one_model_per is None

    @property
    def has_model_per_signal(self) -> bool:
        """Whether a model is trained for each signal."""
        return not self.is_static and not self.exits_by_own_rule and self.trained_with_signal

    def fixed_on(self, task: str) -> dict[str, Any]:
        """Hyper-parameters of the method on a task."""
        return {**self.fixed, **self.fixed_by_task.get(task, {})}

    def training_on(self, task: str) -> dict[str, Any]:
        """Training settings in which it differs on a task."""
        by_task = self.training_by_task.get(task)
        return {**self.training.given, **(by_task.given if by_task else {})}

    def rule_for(self, signal: str) -> str:
        """The exit rule by which it exits where `signal` is asked for."""
        return self.rule or signal


class Experiment(Entry):
    """Variants that are trained on tasks: the product of both, each run once over all experiments."""

    backbone: str = Field(description="encoder. Default: key `backbone`")
    tasks: Tasks = Field(description="tasks. Default: all six")
    signals: Signals = Field(description="exit signals. Default: the first of `signals`")
    variants: Names = Field(min_length=1, description="variants")
    seeds: Seeds | None = Field(None, description="other seeds than `seeds`")


class Shown(Entry):
    """Trade-off curves that a table or figure is made from."""

    backbone: str = Field(description="encoder. Default: key `backbone`")
    tasks: Tasks = Field(description="tasks, of which those not trained are left out. Default: all six")
    signal: SignalName = Field(description="exit signal. Default: the first of `signals`")

    @property
    def names_variants(self) -> list[str] | None:
        """Variants that it names; None: all that were trained."""
        return None


class TableSpec(Shown):
    """A table of all variants that were trained with its backbone, tasks and signal."""


class EncodersSpec(TableSpec):
    """A table of several encoders; each must be trained on all of its tasks."""

    backbones: Names = Field(min_length=1, description="encoders, in this order; `backbone` is not read")

    @property
    def by_backbone(self) -> dict[str, Shown]:
        """Encoder → specification of its part of the table."""
        return {name: self.model_copy(update={"backbone": name}) for name in self.backbones}


class FigureSpec(Shown):
    """A figure of the variants that it names, or of all with early exit that were trained."""

    variants: Annotated[Names, Field(min_length=1)] | None = Field(
        None, description="variants, drawn in this order. Default: all that exit early"
    )
    thresholds: list[float] = Field(default_factory=list, description="thresholds of Figure 1")
    targets: list[float] = Field(default_factory=list, description="target speed-ups of Figure 7")

    @property
    def names_variants(self) -> list[str] | None:
        """Variants that it names; None: all with early exit that were trained."""
        return self.variants

    @property
    def shows_fit(self) -> bool:
        """Whether it compares the training examples with others, as Figure 7 does."""
        return bool(self.targets)


class CountsSpec(Entry):
    """Table 4, which counts parameters without any weights."""

    label: str = Field(description="the encoder in the caption")
    encoder: dict[str, Any] = Field(description="transformers configuration with `model_type`; the rest as by default")

    @model_validator(mode="after")
    def _names_its_type(self) -> "CountsSpec":
        if "model_type" not in self.encoder:
            raise ValueError("needs `model_type`")
        return self


class Latency(Entry):
    """The run whose early exit is timed: of the first seed, by its own rule or the first signal."""

    backbone: str = Field(description="encoder. Default: key `backbone`")
    task: TaskName = Field(description="task")
    variant: str = Field(description="variant, one with a threshold")
    targets: Speedups = Field(description="speed-ups in layers for which thresholds are sought")
    batch_sizes: Counts = Field(description="examples per batch")
    rows: int = Field(ge=1, description="examples of dev, drawn once")
    rounds: int = Field(ge=1, description="how often each batch is timed")
    threads: int = Field(ge=1, description="on a CPU; the rule itself takes all cores, so that nothing else runs")
