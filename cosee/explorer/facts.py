"""Provenance of a page: the facts that its runs have recorded, in words."""

from collections.abc import Iterable, Mapping
from typing import Any


def facts_of_runs(runs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Heading -> fact, or list of facts, that the `run.json` of some runs share or differ in.

    Args:
        runs: contents of `run.json`.
    """
    runs = list(runs)
    seconds = sum(run["seconds"]["training"] for run in runs)
    return {
        "Runs": f"{len(runs)} trainings, {seconds / 3600:.2f} hours of training",
        "Seeds": ", ".join(map(str, sorted({run["run"]["seed"] for run in runs}))),
        "Trained at commit": _distinct(run["commit"] for run in runs),
        "Trained on": _distinct(_machine(run["hardware"]) for run in runs),
        "Versions": _distinct(_versions(run["versions"]) for run in runs),
    }


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _machine(hardware: Mapping[str, Any]) -> str:
    parts = [hardware.get("gpu") or hardware["processor"]]
    parts += [f"{hardware['threads']} threads"] if hardware.get("threads") else []
    return ", ".join(parts)


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
