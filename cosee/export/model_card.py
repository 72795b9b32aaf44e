"""The model card of an exported run."""

from collections.abc import Mapping
from math import isnan
from typing import Any

import pandas as pd

from cosee.data.tasks import TASKS
from cosee.evaluation.risk_levels import CertifiedLevel, within
from cosee.export.hf_model import EarlyExitConfig
from cosee.plan.captions import PROTOCOLS
from cosee.tables.text import escape_markdown

SHOWN_LEVELS = (0.01, 0.02, 0.05, 0.1)
"""Levels of risk in the model card."""


def model_card(
    facts: Mapping[str, Any], config: EarlyExitConfig, table: pd.DataFrame, manifest: Mapping[str, Any] | None = None
) -> str:
    """The model card, in Markdown.

    Args:
        facts: run.json.
        config: configuration of the exported model.
        table: some points of the trade-off table, perhaps with their results on dev.
        manifest: manifest.json of the preset, if available.
    """
    run, task = facts["run"], TASKS[facts["run"]["task"]]
    data, encoder, seeds = _context(run, manifest)
    examples = ", ".join(f"{count} {name}" for name, count in facts["rows"].items())
    settings = ", ".join(f"{name} = {value}" for name, value in facts["method"].items())
    training = ", ".join(f"{name} = {value}" for name, value in run["training"].items())
    also = ", and on dev at the same thresholds" if "dev_score" in table else ""
    twice = min(table["speedup"], key=lambda speedup: abs(speedup - 2))  # the example: the point nearest to 2x
    held = PROTOCOLS["field" if config.tradeoff_split == "dev" else "heldout"]
    return f"""---
library_name: transformers
pipeline_tag: text-classification
tags:
- early-exit
- text-classification
---

# {task.label}, {run["method"]}: a classifier with early exit

An encoder with a classifier on its layers, for {task.kind} ({", ".join(task.classes)}). Each example takes the first
exit at which the exit rule `{config.rule}` fires; its threshold trades score for speed.

```python
import cosee.export.hf_model
from transformers import AutoModelForSequenceClassification

model = AutoModelForSequenceClassification.from_pretrained("this folder")
model.set_speedup({twice:.2f})
```

## Provenance

| | |
| --- | --- |
| data | {escape_markdown(data)} |
| examples | {examples} |
| encoder | {escape_markdown(encoder)} |
| method | {run["method"]}: {settings} |
| training | {training} |
| seed | {seeds} |
| parameters | {facts["parameters"]} |
| selection | {held}; score there {facts["sel_score"][run["rule"]]:.4f} |
| run | fingerprint {facts["fingerprint"]}, commit {facts["commit"]} |
| versions | {", ".join(f"{name} {version}" for name, version in facts["versions"].items())} |

## Trade-off

Speed-up is layers of the full encoder over layers executed; score is the mean of {" and ".join(task.metrics)}, in %.
Measured on `{config.tradeoff_split}`, the split on which thresholds are chosen{also}.
`config.json` holds all {len(config.tradeoff)} points.

{_markdown(table)}
{_risks(config)}"""


def _risks(config: EarlyExitConfig) -> str:
    """The section on certified risks; empty if there are none."""
    if not config.risks:
        return ""
    first = config.risks[0]
    lines = []
    for loss in dict.fromkeys(row["loss"] for row in config.risks):
        of_loss = [row for row in config.risks if row["loss"] == loss]
        rows = [CertifiedLevel(row["level"], row["threshold"], row["speedup"]) for row in of_loss]
        found = {level: within(rows, level) for level in SHOWN_LEVELS}
        cells = {f"{100 * level:g} %": "–" if row is None else f"{row.speedup:.2f}×" for level, row in found.items()}
        lines.append({"risk": loss} | cells)
    return f"""
## Risk

`model.set_risk(0.05)` chooses the fastest threshold whose risk is at most 5 % with confidence {first["confidence"]:g},
for examples drawn like the {first["examples"]} that it was certified on; nothing is promised for others. The risk
`same` is the share of answers that differ from the last exit's, `harm` that of wrong ones where the last exit is right,
`error` that of wrong ones. Speed-ups on the calibration examples, by level (– is not certified):

{pd.DataFrame(lines).to_markdown(index=False)}
"""


def _context(run: Mapping[str, Any], manifest: Mapping[str, Any] | None) -> tuple[str, str, str]:
    """Data, encoder and seeds in words."""
    if manifest is None:
        return (
            f"columns and labels of {TASKS[run['task']].label}, source not recorded",
            run["backbone"],
            f"{run['seed']}",
        )
    same = [r for r in manifest["runs"] if all(r[key] == run[key] for key in ("task", "backbone", "name"))]
    seeds = ", ".join(str(seed) for seed in sorted({r["seed"] for r in same}))
    return (
        f"{manifest['data']}, {TASKS[run['task']].label}",
        manifest["backbones"][run["backbone"]],
        f"{run['seed']}; this variant was trained with {seeds}",
    )


def _markdown(table: pd.DataFrame) -> str:
    """The trade-off table with scores in %."""
    names = {"speedup": "speed-up", "dev_speedup": "dev speed-up", "dev_score": "dev score"}
    percent = {name: 100 * table[name] for name in ("score", "dev_score") if name in table}
    threshold = ["none" if isnan(value) else f"{value:.6g}" for value in table["threshold"]]
    shown = table.assign(**percent, threshold=threshold).rename(columns=names)
    digits = tuple(".1f" if "score" in name else ".2f" for name in shown)
    return shown.to_markdown(index=False, floatfmt=digits)
