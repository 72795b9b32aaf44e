"""The configuration: read once, checked, typed; a wrong key or value is refused in one sentence.

The files are merged by `cosee.plan.merging`; `configuration` makes the result a `Configuration`, in which defaults
that depend on other keys are filled in.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import Field, ValidationError

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.exiting.signals import SIGNALS
from cosee.plan.entries import Entry, Experiment, Latency, Names, Seeds, Signals, TaskName, Training, Values, Variant
from cosee.plan.merging import merge
from cosee.plan.settings import Backbone, Cost, Data, Figures, Jobs, ProtocolSettings, Risk, Tables


class Configuration(Entry):
    """What a preset asks for."""

    preset: str = Field(
        pattern="^[a-z0-9][a-z0-9-]*$",
        description="name of the preset, and of its folder below `runs/` (the mini preset works in the project itself)",
    )
    data_dir: str | None = Field(None, description="local copy of the data in the hub's layout, see above")
    backbone_dir: str | None = Field(None, description="local encoder folder, or a folder with one per backbone")
    published: list[Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]*$")]] = Field(
        description="collections in `published/`, each with its preset in `config/evidence/`, whose tables and figures "
        "the targets `all` and `published` build too"
    )
    predictions: str | None = Field(
        None, description="collection of published runs, such as `published/pooler`; those in it are not trained"
    )
    container: str | None = Field(
        None,
        description="image in which `--sdm apptainer` runs the rules: a file, relative to the project, or an address "
        "such as `docker://...`",
    )
    data: Data = Field(description="data")
    backbones: dict[Annotated[str, Field(pattern="^[a-z0-9]+$")], Backbone] = Field(
        min_length=1, description="encoders"
    )
    backbone: str = Field(description="encoder of experiments, tables, figures and timings that name none")
    protocol: ProtocolSettings = Field(description="protocol")
    signals: Signals = Field(
        description="exit signals in use; the first is the default of models without one of their own"
    )
    seeds: Seeds = Field(description="one run of every variant per seed")
    search_per_signal: bool = Field(
        description="a grid search for each signal; `false`: the grid point found with the first signal serves all"
    )
    training: Training = Field(description="training of every run")
    training_by_task: dict[TaskName, Training] = Field(description="task → keys of `training` that differ")
    grid: dict[str, Values] | None = Field(
        description="axis → values; axes are keys of `training` that hold numbers, or hyper-parameters of a method. "
        "`null`: no search at all, whatever `tune` says"
    )
    tune: Names = Field(description="axes that variants are tuned on unless they say otherwise")
    tuned_as: str | None = Field(
        description="the variant whose grid point all others take unless they say otherwise; `null`: each has a search"
    )
    variants: dict[Annotated[str, Field(pattern="^[a-z0-9_]+$")], Variant] = Field(
        min_length=1, description="variants, in the order of tables and figures"
    )
    experiments: list[Experiment] = Field(min_length=1, description="what is trained")
    tables: Tables = Field(description="tables")
    figures: Figures = Field(description="figures")
    risk: Risk | None = Field(description="thresholds certified for a risk; `null` leaves its table and figure out")
    latency: Latency | None = Field(description="early exit in wall-clock time; `null` leaves it out")
    reference_variant: str = Field(
        description="the variant whose exits the random and oracle controls use, and to which differences are taken"
    )
    keep_weights: Names = Field(
        description="variants whose trained weights stay in the folders of their final runs, for `cosee export` and "
        "`cosee predict`; `all`: of every variant. Those of the run that `latency` times stay anyway"
    )
    jobs: Jobs = Field(description="jobs")
    cost: Cost = Field(description="cost")

    def as_mapping(self) -> dict[str, Any]:
        """What was said or filled in, as plain values."""
        return self.model_dump(mode="json", exclude_unset=True)


def configuration(merged: Mapping[str, Any]) -> Configuration:
    """The configuration that merged files describe.

    Args:
        merged: as Snakemake has it, or `merge` gives it; not changed.

    Raises:
        InputError: a key is unknown or missing, or a value impossible; names it and what would be right. Or installed
            packages add tasks or signals of the same name.
    """
    for registry in (TASKS, SIGNALS):
        len(registry)  # a clash of packages is no fault of the value that would be looked up first
    try:
        return Configuration.model_validate(_completed(merged))
    except ValidationError as error:
        raise InputError(_sentence(error.errors(include_url=False)[0], merged)) from error


def _completed(merged: Mapping[str, Any]) -> dict[str, Any]:
    """Entries that are null removed, and defaults filled in that other keys decide."""
    config = merge(merged)
    for key in ("backbones", "variants", "training_by_task", "grid"):
        if isinstance(config.get(key), Mapping):
            config[key] = {name: entry for name, entry in config[key].items() if entry is not None}
    every = list(TASKS.own)  # not those of packages, whose installation must change no preset
    first = (config.get("signals") or [None])[0] if isinstance(config.get("signals"), list) else None
    for part in ("tables", "figures"):
        if isinstance(config.get(part), Mapping) and not _certifies(config):
            config[part] = config[part] | {"risk": None}
        if isinstance(config.get(part), Mapping) and not _knows_depth(config):
            config[part] = config[part] | {"steps": None}
        for name, spec in _mapping(config.get(part)).items():
            if isinstance(spec, Mapping) and name != "table4":
                config[part][name] = {
                    "backbone": config.get("backbone"),
                    "tasks": every,
                    "signal": first,
                } | spec
    if isinstance(config.get("latency"), Mapping):
        config["latency"] = {"backbone": config.get("backbone")} | config["latency"]
    if isinstance(config.get("experiments"), list):
        filled = {"backbone": config.get("backbone"), "tasks": every, "signals": [first]}
        config["experiments"] = [filled | e if isinstance(e, Mapping) else e for e in config["experiments"]]
    for name, variant in _mapping(config.get("variants")).items():
        if isinstance(variant, Mapping):
            config["variants"][name] = _with_search(config, name, variant)
    return config


def _certifies(config: Mapping[str, Any]) -> bool:
    """Whether thresholds are certified for a risk: there are settings, and examples of `cal`."""
    protocol = _mapping(config.get("protocol"))
    return bool(config.get("risk") and protocol.get("cal_max")) and protocol.get("name") == "heldout"


def _knows_depth(config: Mapping[str, Any]) -> bool:
    """Whether examples record the steps that they need: generated ones of the grammar `steps`."""
    data = _mapping(config.get("data"))
    generated = data.get("source") == "generated" and not config.get("data_dir")
    return generated and _mapping(data.get("generated")).get("grammar") == "steps"


def _mapping(value: Any) -> Mapping[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _with_search(config: Mapping[str, Any], name: str, variant: Mapping[str, Any]) -> dict[str, Any]:
    """A variant with the keys `tune` and `tuned_as` of the configuration, unless it has one of them."""
    variant = {key: value for key, value in variant.items() if value is not None}
    if not {"tune", "tuned_as", "models_from"} & variant.keys():
        leader = config.get("tuned_as")
        shared = {"tune": config.get("tune")} if leader in (None, name) else {"tuned_as": leader}
        variant |= {key: value for key, value in shared.items() if value}
    if "grid" in config and config["grid"] is None:
        variant.pop("tune", None)
    return variant


def _sentence(error: Mapping[str, Any], merged: Mapping[str, Any]) -> str:
    """What is wrong in one sentence: the key, what it is, what would be right."""
    path = [part for part in error["loc"] if part != "[key]"]
    place = "config: " + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    if error["type"] == "missing":
        return f"{place} is missing."
    if error["type"] == "extra_forbidden":
        known = list(_model_at(path[:-1]).model_fields)
        near = get_close_matches(str(path[-1]), known, n=1, cutoff=0.75)
        return f"{place} is unknown; " + (
            f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}."
        )
    if error["type"] == "value_error":
        return f"{place} {error['ctx']['error']}.".replace("config:  ", "config: ")
    return f"{place} is {error['input']!r}; expected {_expected(error)}.{_hint(error['input'])}"


def _expected(error: Mapping[str, Any]) -> str:
    kind, ctx = error["type"], error.get("ctx", {})
    words = {
        "float_type": "a number",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "bool_type": "true or false",
        "string_type": "a text",
        "list_type": "a list",
        "dict_type": "a mapping",
        "model_type": "a mapping",
        "model_attributes_type": "a mapping",
        "too_short": f"at least {ctx.get('min_length')} entry",
        "too_long": f"at most {ctx.get('max_length')} entry",
        "literal_error": f"one of {ctx.get('expected', '').replace(chr(39), '').replace(' or ', ', ')}",
        "string_pattern_mismatch": f"a text that matches {ctx.get('pattern')}",
        "greater_than": f"a number above {ctx.get('gt', 0):g}",
        "greater_than_equal": f"{ctx.get('ge', 0):g} or more",
        "less_than": f"a number below {ctx.get('lt', 0):g}",
        "finite_number": "a finite number",
        "less_than_equal": f"{ctx.get('le', 0):g} or less",
    }
    return words.get(kind, error["msg"])


def _hint(value: Any) -> str:
    """YAML's trap: small numbers need a dot."""
    try:
        float(value if isinstance(value, str) else "")
    except ValueError:
        return ""
    return " YAML reads it as text: write a number with a dot and without quotes, as in 2.0e-5."


def _model_at(path: list[Any]) -> type[Entry]:
    """The model of the entry at a place."""
    found: Any = Configuration
    for part in path:
        is_entry = isinstance(found, type) and issubclass(found, Entry)
        found = _bare(found.model_fields[part].annotation if is_entry else get_args(found)[-1])
    return found


def _bare(annotation: Any) -> Any:
    """A type without `| None` and without its constraints."""
    if isinstance(annotation, UnionType) or get_origin(annotation) in (Union, Annotated):
        return _bare(next(arg for arg in get_args(annotation) if arg is not NoneType))
    return annotation
