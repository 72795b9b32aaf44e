"""What every table and figure says about itself: data, backbone, split, protocol, seeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Protocol = Literal["heldout", "field"]

PROTOCOLS: Mapping[Protocol, str] = MappingProxyType(
    {
        "heldout": "hyper-parameters, checkpoint and thresholds chosen on rows held out from the training split",
        "field": "hyper-parameters, checkpoint and thresholds chosen on dev itself, as is common in the field",
    }
)
"""Where the choices were made, for each protocol."""

_CURVES = (
    "Lines: mean over seeds; bands: lowest to highest seed. Random and oracle exits use the classifiers of the variant "
    "that the preset names as control; models of k layers are fine-tuned alone, most of them with one seed."
)
_MEASURED = (
    "Interpolated: on the dev trade-off curve at the speed-up that is reported for the method, where the curve gets "
    "there. FLOPs: the speed-up in FLOPs, exits included, where it is more than 0.5 % off that in layers. "
    "†: no threshold to choose, the trained model nearest to the target."
)

CAPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "table1": "Data: sizes as the paper prints them, of the official release, and of the rows used here.",
        "table2": "Scores (%) with the speed-up in brackets: reported on the GLUE test set, beside measured here with "
        "thresholds sought for one target speed-up, mean ± standard deviation over seeds. The two differ in split, and "
        "in data and backbone where those named below are others; no best result is claimed across them. "
        f"{_MEASURED}",
        "table3": "As Table 2, for a backbone whose layers share their parameters. QQP: mean of accuracy and F1; the "
        f"columns Speed-up and AVG are means over the tasks. {_MEASURED} Where only a mean speed-up is reported, it "
        "stands for every task.",
        "table4": "Number of parameters, and what the internal classifiers add, for C classes.",
        "table5": "All methods that were trained on every task: means over the tasks ± standard deviation over "
        "seeds, scores in %. Asked for: score and, in brackets, realised speed-up, with thresholds sought on "
        "the selection split; FLOPs as in Table 2. Exactly: interpolated on the dev trade-off curve; full depth "
        "is that at 1×. Area: mean of the best score within a budget, over the budgets of 1.5 to 4×, evenly in cost; "
        "beyond the end of a curve (Up to), examples are mixed with ones that exit at the first exit. ELUE: mean "
        "over the points that were asked for, each once, of the score minus that of the models of k layers at "
        "the same FLOPs, exits included, on the line through these models. Ranks: mean place among the methods, "
        "without the models of k layers; a curve that does not get to the speed-up has none there. Training: "
        "seconds for all models that a curve takes, without grid search, on the hardware of the manifest. †: no "
        "threshold to choose, the trained model nearest to the target.",
        "differences": "Score (points) minus that of the control variant at one target speed-up, mean over the seeds "
        "that both have, with the 95 % interval of a paired bootstrap over seeds and rows; with one seed the interval "
        "is of the rows alone, with few it is too narrow. ‡: the realised speed-ups, which are in "
        "the CSV file, are more than 10 % apart.",
        "latency": "What early exit saves on the clock: the model leaving early against itself run to the end with its "
        "last exit alone, both in turn on the same batches in arrival order, with thresholds sought for target "
        "speed-ups on the selection split. Kept: speed-up on the clock over that in layers, both of these very rows. "
        "Milliseconds per batch: median, 95th percentile. Tests: share of the time for exits and their scores when all "
        "are visited and none is taken. R²: latency of single rows against their exit layer, all operating points.",
        "fig1": "Exit layers by class. Bars: mean over seeds; whiskers: lowest and highest seed.",
        "fig3": "Distribution of the energy score (Eq. 10) and of the normalised energy score (Eq. 11) at three exits.",
        "fig4": f"Score against speed-up with the normalised energy score as exit signal. {_CURVES}",
        "fig5": "Difficulty inversion score (%): share of pairs of a right and a wrong prediction that the exit signal "
        "orders correctly; mean over seeds, standard deviation below.",
        "fig6": "Training curves: cross-entropy, unweighted mean over all exits, as moving average. "
        "Band: lowest to highest seed.",
        "fig7": "Exit layers by class on training and development rows at thresholds for target speed-ups. "
        "Bars: mean over seeds; whiskers: lowest and highest seed.",
        "fig8": f"Score against speed-up with the normalised entropy as exit signal. {_CURVES}",
        "fig9": f"Score against speed-up with the softmax score as exit signal. {_CURVES}",
        "fig10": "Score against speed-up of all methods, each with its own exit rule: means over seeds. Thick, with a "
        "band from the lowest to the highest seed: the control variant, whose classifiers random and oracle exits use. "
        "A method without a knob at test time shows its trained models; models of k layers are fine-tuned alone.",
    }
)
"""What each table and figure shows when it is made here; it never names the data."""


@dataclass(frozen=True)
class Context:
    """Where a result comes from, in the words of its caption.

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
        """The lines that every table and figure carries.

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
        seeds = "seed" if len(self.seeds) == 1 else f"{len(self.seeds)} seeds"
        more = f", of some methods and tasks also {', '.join(map(str, self.more_seeds))}" if self.more_seeds else ""
        return [f"Runs: {seeds} ({', '.join(map(str, self.seeds))}){more}"]

    def caption(self, name: str, backbone: str | None = None, split: str = "dev") -> str:
        """Full caption of a table or figure: what it shows (`CAPTIONS`), then `sentence`."""
        return f"{CAPTIONS[name]} {self.sentence(backbone, split)}"

    def caption_of_counts(self, model: str) -> str:
        """Caption of Table 4, which needs neither data nor training."""
        return f"{CAPTIONS['table4']} Model: {model}, counted from its configuration. Preset: {self.preset}."
