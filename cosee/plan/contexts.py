"""Contexts of captions: data, backbones, protocol and seeds of each table and figure."""

from collections.abc import Iterable
from dataclasses import replace

from cosee.plan.captions import Context
from cosee.plan.configuration import Configuration
from cosee.plan.curves import Curve
from cosee.plan.entries import EncodersSpec, Shown
from cosee.plan.figures import figure_seeds
from cosee.plan.shown import encoder_curves, shared_seeds, shown_curves, trained_curves
from cosee.plan.sources import backbone_label, data_label


def context(config: Configuration) -> Context:
    """The context of a result of all runs."""
    return Context(
        preset=config.preset,
        data=data_label(config),
        backbones={name: backbone_label(config, name) for name in config.backbones},
        protocol=config.protocol.name,
        seeds=tuple(config.seeds),
    )


def context_of_curves(config: Configuration, shown: Iterable[Curve], seeds: Iterable[int]) -> Context:
    """The context of some curves: it tells the seeds of all of them from those that only some have."""
    shared, seeds = shared_seeds(shown), list(seeds)
    return replace(
        context(config),
        seeds=tuple(seed for seed in seeds if seed in shared),
        more_seeds=tuple(seed for seed in seeds if seed not in shared),
    )


def context_of_figure(config: Configuration, name: str) -> Context:
    """The context of a figure."""
    return context_of_curves(config, shown_curves(config, config.figures.shown[name]), figure_seeds(config, name))


def facts_of_risk(config: Configuration, *, shown: bool) -> str:
    """What captions of risk must say: the confidence and the loss and, of the table, level and procedure."""
    risk = config.risk
    words = {"same": "the answer differs from that of the last exit", "error": "the answer is wrong"}
    words["harm"] = "the last exit is right and the answer is wrong"
    at = f"Procedure: {risk.shown.procedure}. Level: {100 * risk.shown.level:g} %. " if shown else ""
    return f"{at}Loss: {risk.shown.loss} ({words[risk.shown.loss]}). Confidence of ltt: {100 * risk.confidence:g} %."


def context_of_table(config: Configuration, spec: Shown) -> Context:
    """The context of a table; models of k layers do not count: they are a control, most often of one seed."""
    trained = trained_curves(config, spec)
    counted = [curve for curve in trained if config.variants[curve.variant].depths != "others"]
    return context_of_curves(config, counted, sorted({curve.seed for curve in counted}))


def context_of_encoders(config: Configuration, spec: EncodersSpec) -> Context:
    """The context of the table of encoders, which names those that it shows."""
    counted = encoder_curves(config, spec)
    found = context_of_curves(config, counted, sorted({curve.seed for curve in counted}))
    return replace(found, backbones={name: found.backbones[name] for name in spec.backbones})
