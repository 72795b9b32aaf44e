"""Schema and key table of configurations, written from `Configuration`: `python -m cosee.plan.reference`.

The schema (`workflow/schemas/config.schema.yaml`) and the table (in `config/README.md`) describe the whole, merged
configuration that `cosee config` prints.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from cosee.io import write_text
from cosee.plan.configuration import Configuration

PROJECT = Path(__file__).parents[2]
SCHEMA = PROJECT / "workflow/schemas/config.schema.yaml"
README = PROJECT / "config/README.md"
BEGIN, END = "<!-- keys: begin -->\n", "<!-- keys: end -->\n"


def schema() -> dict[str, Any]:
    """The JSON schema of a configuration."""
    title = "configuration of the COSEE reproduction, merged"
    written = "Written by `python -m cosee.plan.reference`; describes what `cosee config` prints."
    made = _without_titles(Configuration.model_json_schema())
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, "description": written}
    return head | {key: value for key, value in made.items() if key != "description"}


def key_table() -> str:
    """All keys in Markdown: name, values, meaning."""
    whole = schema()
    lines = ["| key | value | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{key}` | {value} | {meaning} |" for key, value, meaning in _rows(whole, whole, "", {})]
    return "\n".join(lines) + "\n"


def with_key_table(readme: str) -> str:
    """The text of the README with the table of keys between its marks."""
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{key_table()}\n{END}{rest.split(END)[1]}"


def schema_text() -> str:
    """The schema in YAML."""
    return yaml.safe_dump(schema(), sort_keys=False, width=120, allow_unicode=True)


def _without_titles(part: Any) -> Any:
    """Without the titles that repeat the names of keys, and the defaults `null` that mean: not given."""
    if isinstance(part, list):
        return [_without_titles(each) for each in part]
    if not isinstance(part, Mapping):
        return part
    kept = {key: value for key, value in part.items() if not (key == "title" and isinstance(value, str))}
    if "default" in kept and kept["default"] is None:
        del kept["default"]
    return {key: _without_titles(value) for key, value in kept.items()}


def _rows(
    whole: Mapping[str, Any], part: Mapping[str, Any], prefix: str, first: dict[int, str]
) -> Iterator[tuple[str, str, str]]:
    """Key, values and meaning of all keys below a part; `first` has where each kind of entry was described."""
    for name, field in part["properties"].items():
        key, kind = f"{prefix}{name}", _kind(field)
        inner, step = _entry(whole, kind)
        meaning = field.get("description", "")
        if inner is None:
            yield key, _words(whole, kind), meaning
        elif id(inner) in first:
            yield key, f"as `{first[id(inner)]}`", meaning
        else:
            first[id(inner)] = key
            if _is_optional(field):
                yield key, "the following, or `null`", meaning
            yield from _rows(whole, inner, f"{key}{step}.", first)


def _kind(field: Mapping[str, Any]) -> Mapping[str, Any]:
    """A field without the alternative null."""
    return next((each for each in field.get("anyOf", []) if each.get("type") != "null"), field)


def _is_optional(field: Mapping[str, Any]) -> bool:
    return any(each.get("type") == "null" for each in field.get("anyOf", []))


def _resolved(whole: Mapping[str, Any], kind: Mapping[str, Any]) -> Mapping[str, Any]:
    return whole["$defs"][kind["$ref"].rpartition("/")[2]] if "$ref" in kind else kind


def _entry(whole: Mapping[str, Any], kind: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, str]:
    """An entry with keys of its own, or that of a list's or mapping's values, and what stands for their names."""
    named = next(iter(kind.get("patternProperties", {}).values()), kind.get("additionalProperties"))
    for inner, step in ((kind, ""), (kind.get("items"), "[]"), (named, ".NAME")):
        if isinstance(inner, Mapping) and "properties" in _resolved(whole, inner):
            return _resolved(whole, inner), step
    return None, ""


def _words(whole: Mapping[str, Any], kind: Mapping[str, Any]) -> str:
    """Values of a key in words."""
    kind = _resolved(whole, _kind(kind))
    if "enum" in kind:
        return ", ".join(f"`{value}`" for value in kind["enum"])
    if "examples" in kind:
        return f"{', '.join(f'`{value}`' for value in kind['examples'])}, or a plug-in's"
    if "const" in kind:
        return f"`{kind['const']}`"
    if kind.get("type") == "array":
        return f"list: {_words(whole, kind['items'])}"
    if kind.get("type") == "object":
        values = kind.get("additionalProperties")
        return f"mapping to: {_words(whole, values)}" if isinstance(values, Mapping) else "mapping"
    names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true`, `false`"}
    types = kind["type"] if isinstance(kind["type"], list) else [kind["type"]]
    limits = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    said = [f"{word} {kind[limit]:g}" for limit, word in limits.items() if limit in kind]
    return " ".join([" or ".join(names[each] for each in types), *said])


if __name__ == "__main__":
    write_text(SCHEMA, schema_text())
    write_text(README, with_key_table(README.read_text()))
