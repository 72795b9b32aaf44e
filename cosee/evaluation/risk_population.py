"""A population of known risk, and how procedures keep their promises on calibration sets drawn from it.

Run as `python -m cosee.evaluation.risk_population` to print the table of `docs/methods.md`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cosee.evaluation.risk import taken_exits
from cosee.evaluation.risk_procedures import PROCEDURES, calibrate
from cosee.exiting.simulation import speedup_ratio


@dataclass(frozen=True, eq=False)
class Population:
    """All examples that there are, of which calibration sets are drawn with replacement: its risks are known exactly.

    Attributes:
        scores: exit scores, harder is larger [K, M-1].
        loss: losses [K, M], 0 or 1.
    """

    scores: NDArray[np.float64]
    loss: NDArray[np.int64]

    def at(self, threshold: float | None) -> tuple[float, float]:
        """Risk and speed-up of a threshold; None: no early exit."""
        exits = taken_exits(self.scores, threshold, "larger")
        risk = self.loss[np.arange(len(exits)), exits].mean()
        return float(risk), float(speedup_ratio(exits, self.loss.shape[1]))


def population(rng: np.random.Generator, size: int = 20_000, num_exits: int = 6) -> Population:
    """Examples of graded difficulty, whose exits agree the more with the last one the deeper they are.

    Scores tell how likely an exit is to be safe, with noise. Whether neighboring exits of an example are unsafe depends
    on each other through its difficulty, as in a model.
    """
    difficulty = rng.random(size)[:, None]
    depth = np.arange(1, num_exits) / num_exits
    unsafe = np.clip(difficulty * (1.1 - depth), 0, 1) ** 1.5
    loss = np.concatenate([rng.random(unsafe.shape) < unsafe, np.zeros((size, 1), dtype=bool)], axis=1)
    scores = np.clip(unsafe + 0.15 * rng.standard_normal(unsafe.shape), 0, 1) + 1e-6 * rng.random(unsafe.shape)
    return Population(scores, loss.astype(np.int64))


def kept_promises(
    everyone: Population,
    rng: np.random.Generator,
    levels: Iterable[float],
    num_examples: int,
    draws: int,
    confidence: float = 0.9,
    procedures: Iterable[str] = PROCEDURES,
) -> pd.DataFrame:
    """True risks of thresholds that procedures choose on fresh calibration sets.

    Returns:
        Columns level, procedure, mean_risk, share_above (draws whose risk exceeds the level), speedup (mean).
    """
    lines = []
    for level in levels:
        found: dict[str, list[tuple[float, float]]] = {procedure: [] for procedure in procedures}
        for _ in range(draws):
            drawn = rng.integers(len(everyone.loss), size=num_examples)
            for procedure, outcomes in found.items():
                threshold = calibrate(
                    everyone.scores[drawn], everyone.loss[drawn], "larger", level, confidence, procedure
                )
                outcomes.append(everyone.at(threshold))
        for procedure, outcomes in found.items():
            risks, speedups = np.array(outcomes).T
            line = {"level": level, "procedure": procedure, "mean_risk": risks.mean()}
            lines.append(line | {"share_above": (risks > level).mean(), "speedup": speedups.mean()})
    return pd.DataFrame(lines)


if __name__ == "__main__":
    generator = np.random.default_rng(0)
    frame = kept_promises(population(generator), generator, (0.02, 0.05, 0.1), num_examples=500, draws=1000)
    print(frame.to_markdown(index=False, floatfmt=("g", "", ".4f", ".3f", ".2f")))
