"""Settings of a configuration, typed: data, encoders, protocol, jobs, cost, and the sets of tables and figures."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cosee.data.cuts import SELECTION_SPLIT
from cosee.plan.entries import CountsSpec, EncodersSpec, Entry, FigureSpec, Shown, Speedups, TableSpec, TaskName

Loss = Literal["same", "harm", "error"]
Procedure = Literal["naive", "crc", "ltt", "shared", "lynx"]
Commit = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]


class Generated(Entry):
    """Sizes and seed of mini-GLUE, the generated data."""

    grammar: Literal["graded", "steps"] = Field(
        "graded",
        description="`steps`: chains of facts of known length; `graded`: words and their composition",
    )
    seed: int = Field(ge=0, description="seed of the texts")
    train: int = Field(ge=50, description="training examples per task, before `sel` is held out")
    validation: int = Field(ge=20, description="examples of each development set")
    label_noise: float = Field(ge=0, le=0.5, description="share of labels that are wrong on purpose")


class Data(Entry):
    """Source of the examples."""

    source: Literal["generated", "hub"] = Field(description="generated here, or from the hub")
    label: str = Field(description="what captions call the data")
    repository: str = Field(description="data set on the hub")
    revision: Commit = Field(description="its commit")
    max_length: int = Field(ge=8, le=512, description="tokens; longer examples are truncated, none is padded to it")
    train_rows: dict[TaskName, Annotated[int, Field(ge=10)]] = Field(
        description="task → largest number of examples to train on, a stratified sample; a task not listed has all"
    )
    generated: Generated | None = Field(None, description="mini-GLUE, for `source: generated`")

    @model_validator(mode="after")
    def _fits_together(self) -> "Data":
        if self.source == "generated" and self.generated is None:
            raise ValueError("has `source: generated` and needs `generated`")
        return self


DECODERS = ("gpt", "mamba2")
"""Kinds of generated encoders that are causal."""


class Pretraining(Entry):
    """Pre-training of a small encoder on generated text: masked words, or the next one for gpt and mamba2."""

    kind: Literal["bert", "albert", "gpt", "mamba2"] = Field(description="architecture")
    hidden_size: int = Field(ge=16, description="H")
    texts: int = Field(ge=100, description="generated texts")
    steps: int = Field(ge=1, description="optimizer steps")
    batch_size: int = Field(ge=1, description="texts per step")
    learning_rate: float = Field(gt=0, description="peak rate")
    seed: int = Field(ge=0, description="seed of weights and texts")


class Backbone(Entry):
    """A pretrained encoder, from the hub, from the package or pre-trained here."""

    label: str = Field(description="name in captions")
    source: Literal["generated", "shipped", "hub"] = Field(
        description="pre-trained by this workflow, one that comes with the package, or from the hub"
    )
    layers: int = Field(ge=2, description="full depth, checked against the encoder; of a shipped one the first so many")
    repository: str | None = Field(None, description="model on the hub, for `source: hub`")
    revision: Commit | None = Field(None, description="its commit")
    note: str | None = Field(None, description="what captions must say besides")
    dropout: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="replaces the encoder's own, of hidden states and attention (0 saves a fifth of the time of "
        "training on a CPU)",
    )
    exit_state: Literal["cls", "mean", "last"] | None = Field(
        None,
        description="what exits read: [CLS] (unless given), the mean over the tokens, or the last token (decoders, "
        "unless given)",
    )
    pooler: Literal["pretrained", "fresh", "norm", "none", "untrained"] | None = Field(
        None,
        description="what stands between that state and the heads: the encoder's own pooler (refused if it was never "
        "trained), one drawn afresh per run, the encoder's final norm or a standardization, nothing, or its own even "
        "if never trained. Unless given: that which its family has, see docs/extending.md",
    )
    pretraining: Pretraining | None = Field(None, description="for `source: generated`")
    encoder: Literal["mini-bert", "mini-albert"] | None = Field(None, description="for `source: shipped`")

    @model_validator(mode="after")
    def _fits_together(self) -> "Backbone":
        if self.source == "hub" and not (self.repository and self.revision):
            raise ValueError("has `source: hub` and needs `repository` and `revision`")
        if self.source == "generated" and self.pretraining is None:
            raise ValueError("has `source: generated` and needs `pretraining`")
        if self.source == "shipped" and self.encoder is None:
            raise ValueError("has `source: shipped` and needs `encoder`")
        if self.source == "shipped" and (
            self.dropout or self.exit_state not in (None, "cls") or self.pooler not in (None, "pretrained")
        ):
            raise ValueError(
                "was pre-trained without dropout, and exits read [CLS] through its pooler; leave the rest out"
            )
        if self.source == "generated":
            decoder = self.pretraining.kind in DECODERS
            state, pooler = ("last", "norm") if decoder else ("cls", "pretrained")
            if self.dropout or self.exit_state not in (None, state) or self.pooler not in (None, pooler):
                read = "the last token through its final norm" if decoder else "[CLS] through its pooler"
                raise ValueError(f"is pre-trained here without dropout, and exits read {read}; leave the rest out")
        return self


class ProtocolSettings(Entry):
    """How hyper-parameters, checkpoints and thresholds are chosen."""

    name: Literal["heldout", "field"] = Field(
        description="`heldout`: everything is chosen on `sel`, held out from train; `field`: train on all of train and "
        "choose on dev, as the papers do"
    )
    sel_fraction: float = Field(gt=0, le=0.5, description="share of the training examples in `sel` (stratified)")
    sel_max: int = Field(ge=10, description="largest size of `sel`")
    split_seed: int = Field(ge=0, description="seed of the split, the same for all runs")
    held_rows: dict[TaskName, Annotated[int, Field(ge=10)]] = Field(
        description="task → further training examples held out as the split `held`, which results show beside dev; no "
        "text of theirs occurs in what is trained or chosen on"
    )
    cal_max: int = Field(
        ge=0,
        description="largest size of `cal`, the examples on which thresholds are certified for a risk; at most "
        "`sel_fraction` of the training examples, which are not trained on (generated data: as many more are "
        "generated). 0, or the protocol `field`: none, and no table and figure `risk`",
    )
    criterion: Literal["area", "score_at_2x"] = Field(
        description="by which grid points and checkpoints are compared: `area`, mean of the best score within a budget "
        "of layers over the budgets of speed-ups 1.5 to 4, evenly in cost, or the best score at a speed-up of 2 or more"
    )
    targets: Speedups = Field(description="speed-ups for which thresholds are sought on the selection split")
    table_target: float = Field(
        ge=1, description="the one of them that Tables 2 and 3 and the differences show, and the methods are ranked by"
    )

    @property
    def selection_split(self) -> str:
        """The split on which everything is chosen: `sel`, or `dev` under the protocol `field`."""
        return SELECTION_SPLIT[self.name]

    @property
    def has_cal(self) -> bool:
        """Whether there are examples of `cal`."""
        return self.name == "heldout" and self.cal_max > 0


class _Set(Entry):
    @property
    def shown(self) -> dict[str, Shown]:
        """Name → specification of the tables or figures that show curves, without those left out."""
        specs = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: spec for name, spec in specs.items() if isinstance(spec, Shown)}


class Tables(_Set):
    """Tables besides Table 1, which every configuration has; `null` leaves one out."""

    table2: TableSpec | None = Field(None, description="reported beside measured")
    table3: TableSpec | None = Field(None, description="the same for an encoder whose layers share their parameters")
    table4: CountsSpec = Field(description="parameters")
    methods: TableSpec | None = Field(None, description="all methods, at equal speed-ups and by their whole curves")
    encoders: EncodersSpec | None = Field(None, description="several encoders, each at speed-ups in layers of its own")
    steps: TableSpec | None = Field(
        None, description="exit layers and answers by the steps that examples need (generated data of known depth)"
    )
    calibration: TableSpec | None = Field(None, description="calibration of the answers: bias, errors, likelihood")
    differences: TableSpec | None = Field(None, description="score minus that of `reference_variant`, with intervals")
    risk: TableSpec | None = Field(
        None, description="promised and realized risk of certified thresholds (needs `protocol.cal_max`)"
    )
    differences_held: TableSpec | None = Field(None, description="the same on the split `held` (`protocol.held_rows`)")


class Figures(_Set):
    """Figures of the paper, and that of all methods; `null` leaves one out."""

    fig1: FigureSpec | None = Field(None, description="exit layers by class, one variant on one task")
    fig3: FigureSpec | None = Field(None, description="energy scores, one variant on one task")
    fig4: FigureSpec | None = Field(None, description="trade-off, energy")
    fig5: FigureSpec | None = Field(None, description="difficulty inversion score")
    fig6: FigureSpec | None = Field(None, description="training curves")
    fig7: FigureSpec | None = Field(None, description="exit layers on fit and dev, one variant on one task")
    fig8: FigureSpec | None = Field(None, description="trade-off, entropy")
    fig9: FigureSpec | None = Field(None, description="trade-off, softmax score")
    methods: FigureSpec | None = Field(None, description="trade-off of all methods, each by its own exit rule")
    steps: FigureSpec | None = Field(
        None, description="exit layers and accuracy by the steps that examples need (generated data of known depth)"
    )
    risk: FigureSpec | None = Field(
        None, description="promised against realized risk, one variant (needs `protocol.cal_max`)"
    )


class RiskShown(Entry):
    """The results of `risk` that its table shows; the figure shows all levels and procedures of the loss."""

    level: float = Field(gt=0, lt=1, description="one of `levels`")
    loss: Loss = Field(description="one of `losses`")
    procedure: Procedure = Field(description="one of `procedures`")


class Risk(Entry):
    """Thresholds that are certified on `cal`, by the procedures of `cosee.evaluation.risk_procedures`."""

    levels: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Field(min_length=1)] = Field(
        description="largest risks"
    )
    confidence: float = Field(gt=0, lt=1, description="of the procedure `ltt`")
    losses: Annotated[list[Loss], Field(min_length=1)] = Field(
        description="loss of an example: `same`, its answer is not that of the last exit; `harm`, the last exit is "
        "right and its answer is wrong; `error`, its answer is wrong"
    )
    procedures: Annotated[list[Procedure], Field(min_length=1)] = Field(
        description="`naive` promises nothing, `crc` the risk in the mean, `ltt` the risk with the confidence, "
        "`shared` and `lynx` what their papers do"
    )
    shown: RiskShown = Field(description="what the table shows")

    @model_validator(mode="after")
    def _fits_together(self) -> "Risk":
        for key, value, among in (
            ("levels", self.shown.level, self.levels),
            ("losses", self.shown.loss, self.losses),
            ("procedures", self.shown.procedure, self.procedures),
        ):
            if value not in among:
                raise ValueError(f"has `shown` with {value}, which is not among its `{key}`")
        return self


class Jobs(Entry):
    """How trainings are grouped into processes."""

    minutes: float = Field(
        ge=0,
        description="trainings per process, one after the other: as many as take so long together by the estimate of "
        "`cost`; one that takes longer has a process of its own, and with 0 each has",
    )
    states: str | None = Field(
        None,
        description="folder for the states of unfinished trainings and the names of their owners, which must outlive "
        "a job where nothing else does; `null`: the runs' own folders",
    )


class Cost(Entry):
    """The estimate that is printed before a start, and how long the target `cost` times."""

    samples_per_second: float = Field(
        gt=0, description="of a whole run: examples through forward and backward, predictions and start-up included"
    )
    machine: str = Field(description="the machine of that figure")
    steps: int = Field(ge=10, description="of each training that the target `cost` times")  # fewer: stages without any
