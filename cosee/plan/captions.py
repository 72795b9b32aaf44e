"""Captions of tables and figures: contents, data, backbone, split, protocol, seeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Protocol = Literal["heldout", "field"]

PROTOCOLS: Mapping[Protocol, str] = MappingProxyType(
    {
        "heldout": "hyper-parameters, checkpoint and thresholds chosen on examples held out from the training split",
        "field": "hyper-parameters, checkpoint and thresholds chosen on dev itself, as is common in the field",
    }
)
"""Where hyper-parameters, checkpoints and thresholds are chosen, for each protocol."""

_CURVES = (
    "Lines are means over seeds, and bands reach from the lowest to the highest seed. The random and oracle controls "
    "use the classifiers of the reference variant; models of k layers are fine-tuned alone, most of them with one seed."
)
_FIXED = "† marks a method without a test-time threshold; its trained model closest to the target is shown."
_MEASURED = (
    "“Interpolated” is the score on our dev curve at the speed-up that is reported for the method (empty if out of "
    "range). “FLOPs” gives the speed-up in FLOPs, exits included, where it differs from that in layers by more than "
    f"0.5 %. {_FIXED}"
)

METHODS_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "asked for": "score and, in brackets, realized speed-up at thresholds sought for the target on the selection "
        "split, with the speed-up in FLOPs where it differs by more than 0.5 %",
        "exactly": "score interpolated on the dev trade-off curve",
        "Full depth": "the same at 1×",
        "Area": "mean of the best score within a budget of layers, over the budgets of speed-ups 1.5 to 4, evenly in "
        "cost; beyond the end of a curve, examples are mixed with ones that exit at the first exit",
        "Up to": "speed-up at the end of the curve",
        "ELUE": "score minus that of the models of k layers, interpolated linearly at the same FLOPs (exits included), "
        "mean over the points that were asked for",
        "Rank": "mean rank among the methods, models of k layers apart; empty for a curve that ends before the "
        "speed-up",
        "Training": "seconds for all models that a curve needs, without grid search, on the hardware of the manifest",
        "Stages": "training stages of a model",
        "Models": "trained models that a curve needs",
    }
)
"""Glossary of the table of methods: column, or what its name has in it -> meaning."""

CAPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "table1": "Data statistics: sizes that the paper prints, sizes of the official release, and sizes of the data "
        "used here.",
        "table2": "Scores (%) with the speed-up in brackets: values reported on the GLUE test set beside values "
        "measured here with thresholds sought for one target speed-up (mean ± standard deviation over seeds). The two "
        "differ in split, and in data and backbone where those named below are others, so no best result is marked "
        f"across them. {_MEASURED}",
        "table3": "The same as Table 2 for a backbone whose layers share their parameters. QQP shows the mean of "
        f"accuracy and F1; the columns Speed-up and AVG are means over the tasks. {_MEASURED} Where only a mean "
        "speed-up is reported, it is used for every task.",
        "table4": "Number of parameters of the encoder, and of the internal classifiers that are added for C classes.",
        "methods": "All methods that were trained on every task: means over the tasks ± standard deviation over seeds, "
        f"scores in %. {_FIXED} Columns: "
        + "; ".join(f"“{name}”: {text}" for name, text in METHODS_COLUMNS.items())
        + ".",
        "encoders": "Encoders and what early exit keeps of them: scores in %, interpolated on the dev trade-off curve "
        "at exactly the speed-up, means over the tasks ± standard deviation over seeds. A speed-up is in layers of the "
        "same encoder; a layer of one encoder may cost more than one of another. An encoder without exits has its full "
        "depth alone: a distilled one of six layers is what a speed-up of two competes with.",
        "differences": "Score (points) minus that of the reference variant at one target speed-up, means over all "
        "seeds of each. 95 % intervals contain the variance of seeds and examples; there is none for fewer than three "
        "seeds on a side. Matched: both have exactly the target's mean exit layer on dev, neighboring operating points "
        "being mixed without labels. Deployed: thresholds sought on the selection split. Verdict: on the mean in the "
        "matched view alone, p-values adjusted for the number of variants (Holm). –: some curve does not reach the "
        "target. ‡ marks realized speed-ups, listed in the CSV file, that are more than 10 % apart.",
        "steps": "Early exit against the steps that examples need, at thresholds sought for one target speed-up on "
        "the selection split: means over the tasks and seeds. “Lk” is the mean exit layer of examples of k steps, “Ak” "
        "their accuracy (%), “Rank” Spearman's rank correlation of exit layer and steps over all examples, “Premature” "
        "the share of examples (%) that are wrong at the exit taken and right at the last one. “Models of k layers”: "
        "the fewest layers from which models of their own are right, mean over the examples that the deepest one "
        f"answers rightly. {_FIXED}",
        "steps_figure": "Mean exit layer (above) and accuracy (below) of examples by the steps that their answer "
        "takes, at thresholds sought for one target speed-up on the selection split; means over seeds. Dotted: the "
        "fewest layers from which models of k layers are right.",
        "calibration": "Calibration of the answers at thresholds sought for one target speed-up on the selection "
        "split: means over the tasks ± standard deviation over seeds. “Early” is the share of examples that exit "
        "before the last exit, “Exit bias” their mean confidence (probability of the predicted class) minus their "
        "accuracy, in points: above 0 they are too sure. “ECE” is the expected calibration error of all answers in "
        "points (15 bins), “NLL” their mean negative log-likelihood in nats; “last exit”: the same of all examples "
        f"there. –: on some task no example exits early. {_FIXED}",
        "risk": "Risk (%) on dev of thresholds that were certified on the examples of cal, with the speed-up on dev in "
        "brackets, means over seeds. The risk is the share of examples whose answer at their exit has the loss named "
        "below. Each level is promised by itself, nothing about several at once, and the promise is about fresh "
        "examples like those of cal; MNLI-mm is from other sources. 1.00× says that no example exits early. § marks a "
        "risk whose lower 95 % limit (Clopper-Pearson), of some seed, is above the level. † marks a method without a "
        "test-time threshold, of whose trained models the fastest that is certified is taken.",
        "latency": "Wall-clock time that early exit saves: the model with early exit against the same model run to its "
        "last exit alone, both in turn on the same batches in arrival order, with thresholds sought for target "
        "speed-ups on the selection split. “Kept” is the wall-clock speed-up divided by the speed-up in layers, both "
        "on these examples. Milliseconds per batch are the median and the 95th percentile. “Tests” is the share of the "
        "time spent on exits and their scores when all are visited and none is taken. R² relates the latency of single "
        "examples to their exit layer over all operating points.",
        "fig1": "Exit layers by class. Bars are means over seeds; whiskers reach from the lowest to the highest seed.",
        "fig3": "Distribution of the energy score (Eq. 10) and of the normalized energy score (Eq. 11) at three exits.",
        "fig4": f"Score against speed-up with the normalized energy score as exit signal. {_CURVES}",
        "fig5": "Difficulty inversion score (%): the share of pairs of a right and a wrong prediction that the exit "
        "signal orders correctly, as mean over seeds with the standard deviation below.",
        "fig6": "Training curves: moving average of the cross-entropy, unweighted mean over all exits. The band "
        "reaches from the lowest to the highest seed.",
        "fig7": "Exit layers by class on training and development examples at thresholds for target speed-ups. "
        "Bars are means over seeds; whiskers reach from the lowest to the highest seed.",
        "fig8": f"Score against speed-up with the normalized entropy as exit signal. {_CURVES}",
        "fig9": f"Score against speed-up with the softmax score as exit signal. {_CURVES}",
        "methods_figure": "Score against speed-up of all methods, each with its own exit rule, as means over seeds. "
        "The thick line with a band from the lowest to the highest seed is the reference variant, whose classifiers "
        "the random and oracle controls use. Methods without a test-time threshold are shown by their trained models; "
        "models of k layers are fine-tuned alone.",
        "risk_figure": "Risk on dev of thresholds certified on the examples of cal, against the level that was asked "
        "for (above), and the speed-up that is left (below). Lines are means over seeds, one for each procedure; a "
        "point above the diagonal exceeds its level on these examples. Naive takes the fastest threshold whose mean "
        "loss on cal is at most the level, and promises nothing; CRC promises the level in the mean over calibration "
        "sets, LTT with the confidence named below; LYNX promises it for single decisions only. MNLI-mm comes from "
        "other sources than cal, where no promise holds.",
    }
)
"""Caption of each table and figure; it never names the data, which `Context.sentence` does."""


@dataclass(frozen=True)
class Context:
    """Data, backbones, protocol and seeds of a result, in the words of its caption.

    Attributes:
        preset: name of the configuration.
        data: the data in words, such as "generated mini-GLUE" or "GLUE (training subsets of QNLI, QQP and MNLI)".
        backbones: key of each backbone -> its description.
        protocol: "heldout" or "field", see `PROTOCOLS`.
        seeds: the seeds of all runs; none where nothing is trained.
        more_seeds: seeds that only some of the runs have besides.
    """

    preset: str
    data: str
    backbones: Mapping[str, str]
    protocol: Protocol
    seeds: tuple[int, ...]
    more_seeds: tuple[int, ...] = ()

    def sentence(self, backbone: str | None = None, split: str = "dev") -> str:
        """The facts that every table and figure carries.

        Args:
            backbone: key of the backbone; all of them if None.
            split: the split that is shown, in words.
        """
        described = self.backbones.values() if backbone is None else [self.backbones[backbone]]
        facts = [
            f"Data: {self.data}",
            f"Backbone: {' and '.join(described)}",
            f"Split: {split}",
            f"Protocol: {self.protocol} ({PROTOCOLS[self.protocol]})",
            *self._runs(),
            f"Preset: {self.preset}",
        ]
        return " ".join(f"{fact.rstrip('.')}." for fact in facts)

    def _runs(self) -> list[str]:
        if not self.seeds:
            return []
        more = f" (some methods and tasks also {', '.join(map(str, self.more_seeds))})" if self.more_seeds else ""
        return [f"{'Seed' if len(self.seeds) == 1 else 'Seeds'}: {', '.join(map(str, self.seeds))}{more}"]

    def caption(self, name: str, backbone: str | None = None, split: str = "dev") -> str:
        """Full caption of a table or figure: what it shows (`CAPTIONS`), then `sentence`."""
        return f"{CAPTIONS[name]} {self.sentence(backbone, split)}"

    def caption_of_counts(self, model: str) -> str:
        """Caption of Table 4, which needs neither data nor training."""
        return f"{CAPTIONS['table4']} Model: {model}, counted from its configuration. Preset: {self.preset}."
