"""Intervals of score differences that contain the variance of training and that of the examples.

**Model.** Let y[s, n] be the contribution of example n to the score of the model of seed s, so that the score of seed s
is the mean over n. For accuracy it is 1 or 0 (or a probability, see `cosee.evaluation.matched`); F1 is linearized at
the observed counts (delta method): F1 + (2 tp[n] - F1 (2 tp[n] + error[n])) / mean(2 tp + error). For one side of a
comparison, or for paired differences,

    y[s, n] = mu + A[s] + B[n] + E[s, n],

with independent random effects of seeds (variance a), of examples (b) and of their interaction (e). The mean over S
seeds and N examples has the variance a/S + b/N + e/(S N).

**Estimate.** The variance between the scores of seeds, over S, has the expectation (a + e/N)/S: all seeds share the
examples, so b is not in it. The variance over examples of seed means, over N, has b/N + e/(S N). Their sum would count
e twice. Here b is estimated without e, as the mean covariance over examples between *different* seeds, cut at 0:

    V_seed = var_s(mean_n y) / S                  with S - 1 degrees of freedom,
    V_example = max(0, mean_{s != s'} cov_n(y[s], y[s'])) / N    with N - 1.

**Pairing.** Both sides always share the examples. If they have the same seeds, seeds are paired too: one seed means the
same data order and the same initial heads, and the comparison is that of y_ours - y_theirs. In the mean over tasks,
which is what verdicts rest on, degrees of freedom are plenty and any positive correlation narrows the interval.
Otherwise all seeds of both sides count, V_seed is the sum over the sides, and the degrees of freedom are Welch's;
a correlation of seeds that only some pairs share then makes the interval too wide, never too narrow.

**Interval.** With quantiles t of the two degrees of freedom, difference ± sqrt(t_seed² V_seed + t_example² V_example)
(Howe 1974; "method of variance estimates recovery"). Neither a percentile bootstrap over three seeds nor
Satterthwaite's degrees of freedom for the sum hold their level with so few seeds; quantiles of S - 1 for the sum would
be far too wide where the examples dominate. The p-value is 1 - level of the interval that touches zero.

**Mean over tasks.** Variances add over T², as examples and trainings of different tasks are independent; the degrees of
freedom of each sum are Satterthwaite's.

What the intervals do not contain: the choice of hyperparameters, the threshold's dependence on the split that it was
sought on, and the pre-training of the encoder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, nan, sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize
from scipy.stats import t as student

from cosee.data.tasks import Task
from cosee.errors import InputError
from cosee.evaluation.matched import OperatingPoint
from cosee.evaluation.metrics import glue_scores_from_counts

FloatArray = NDArray[np.float64]

MIN_SEEDS = 3
"""Seeds that both sides need for an interval and a verdict."""

LEVEL = 0.95
"""Level of all intervals; verdicts are given at 1 - LEVEL."""

Verdict = Literal["better", "worse", "no verdict"]
BETTER, WORSE, UNDECIDED = ("better", "worse", "no verdict")


@dataclass(frozen=True)
class Estimate:
    """A difference of scores with the two parts of its variance, which are NaN with fewer than `MIN_SEEDS` seeds.

    Attributes:
        value: the difference.
        seed_variance: V_seed, the part of training.
        seed_df: its degrees of freedom.
        example_variance: V_example, the part of the evaluated examples.
        example_df: its degrees of freedom.
    """

    value: float
    seed_variance: float = nan
    seed_df: float = nan
    example_variance: float = nan
    example_df: float = nan

    @property
    def has_interval(self) -> bool:
        """Whether the variance is known."""
        return not np.isnan([self.value, self.seed_variance, self.example_variance]).any()

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Two-sided confidence interval; NaN without a variance."""
        half = self._half_width(1 - level) if self.has_interval else nan
        return self.value - half, self.value + half

    def p_value(self) -> float:
        """Two-sided p-value of no difference: 1 - level of the interval that touches zero; NaN without a variance."""
        if not self.has_interval:
            return nan
        if self.value == 0:
            return 1.0
        lowest = -230.0  # log of p; nothing smaller is told apart
        if self._half_width(exp(lowest)) <= abs(self.value):
            return exp(lowest)
        return exp(optimize.brentq(lambda log_p: self._half_width(exp(log_p)) - abs(self.value), lowest, 0.0))

    def _half_width(self, p: float) -> float:
        parts = ((self.seed_variance, self.seed_df), (self.example_variance, self.example_df))
        return sqrt(sum(student.isf(p / 2, df) ** 2 * variance for variance, df in parts if variance))


def mean_difference(ours: Mapping[int, OperatingPoint], theirs: Mapping[int, OperatingPoint], task: Task) -> Estimate:
    """Score of one side minus that of the other, each a mean over its seeds.

    Args:
        ours: seed -> operating point; all on the same examples.
        theirs: the same of the other side; any seeds.
        task: decides the score.

    Raises:
        InputError: the two sides were evaluated on different examples.
    """
    labels = next(iter(ours.values())).labels
    if any(not np.array_equal(point.labels, labels) for point in (*ours.values(), *theirs.values())):
        raise InputError("The two sides have different labels; expected outputs on the same examples, in one order.")
    sides = [contributions([side[seed] for seed in sorted(side)], task) for side in (ours, theirs)]
    value = float(sides[0].mean() - sides[1].mean())
    if min(map(len, sides)) < MIN_SEEDS:
        return Estimate(value)
    groups = [sides[0] - sides[1]] if ours.keys() == theirs.keys() else sides
    seed_parts = [(group.mean(axis=1).var(ddof=1) / len(group), len(group) - 1) for group in groups]
    examples = sum(_shared_covariance(group) for group in groups)
    if len(groups) == 2:
        examples -= 2 * np.cov(*(group.mean(axis=0) for group in groups))[0, 1]
    num_examples = len(labels)
    return Estimate(value, *_sum(seed_parts), max(0.0, float(examples)) / num_examples, num_examples - 1)


def mean_over_seeds(values: Sequence[float]) -> Estimate:
    """Mean of a quantity that each seed gives once, such as a paired difference; variance of training only.

    Args:
        values: of the seeds; fewer than `MIN_SEEDS` have no interval.
    """
    value = float(np.mean(values))
    if len(values) < MIN_SEEDS:
        return Estimate(value)
    return Estimate(value, float(np.var(values, ddof=1)) / len(values), len(values) - 1, 0.0, 1.0)


def mean_over_tasks(estimates: Sequence[Estimate]) -> Estimate:
    """Mean of differences on tasks whose examples and trainings are independent."""
    square = len(estimates) ** 2
    seed_parts = [(estimate.seed_variance / square, estimate.seed_df) for estimate in estimates]
    example_parts = [(estimate.example_variance / square, estimate.example_df) for estimate in estimates]
    value = float(np.mean([estimate.value for estimate in estimates]))
    return Estimate(value, *_sum(seed_parts), *_sum(example_parts))


def contributions(points: Sequence[OperatingPoint], task: Task) -> FloatArray:
    """Contribution of each example to the score of each point [S, N]; the mean over examples is the score."""
    right = np.stack([point.right for point in points])  # [S, N]
    parts = []
    for metric in task.metrics:
        if metric == "accuracy":
            parts.append(right)
            continue
        doubled = 2 * right * (points[0].labels == 1)
        denominators = doubled + 1 - right
        counts = (right.sum(axis=1), doubled.sum(axis=1) / 2)
        f1 = glue_scores_from_counts(*counts, right.shape[1], task)["f1"][:, None]
        mean = denominators.mean(axis=1, keepdims=True)
        parts.append(f1 + (doubled - f1 * denominators) / np.where(mean > 0, mean, 1))
    return sum(parts) / len(parts)


def holm(p_values: ArrayLike) -> FloatArray:
    """Adjusted p-values of a family of tests (Holm 1979): all rejected hypotheses are false with 1 - alpha.

    The k-th smallest of m p-values is multiplied by m - k + 1 (k = 1..m), made monotone, and cut at 1.

    Args:
        p_values: [m]; NaN for what is not tested, which stays NaN and does not count.
    """
    values = np.asarray(p_values, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    adjusted = np.full(values.shape, np.nan)
    steps = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps * values[order]), 1)
    return adjusted


def verdict(low: float, high: float, p_holm: float) -> Verdict:
    """Verdict on one comparison of a family: its interval and its adjusted p-value both have to exclude zero."""
    if p_holm < 1 - LEVEL and low > 0:
        return BETTER
    if p_holm < 1 - LEVEL and high < 0:
        return WORSE
    return UNDECIDED


def _shared_covariance(values: FloatArray) -> float:
    """Mean covariance over examples between the values [S, N] of different seeds."""
    num_seeds = len(values)
    total, own = values.sum(axis=0).var(ddof=1), values.var(axis=1, ddof=1).sum()
    return float((total - own) / (num_seeds * (num_seeds - 1)))


def _sum(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Sum of independent variance estimates and its degrees of freedom (Satterthwaite 1946)."""
    variances, df = np.array(parts, dtype=np.float64).T
    total = variances.sum()
    if total == 0:
        return 0.0, float(df.sum())
    return float(total), float(total**2 / (variances**2 / df).sum())
