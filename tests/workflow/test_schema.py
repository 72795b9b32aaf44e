"""The schema and the key table are those of the typed configuration, and all of them agree on what is right."""

import pytest
from helpers.presets import CONFIGS, preset
from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

from cosee.io import read_yaml
from cosee.plan import reference

PRESETS = [("config",), ("glue-small",), ("glue-small", "glue-small-cpu"), ("bert-base",), ("paper",)]
PRESETS += [("roberta-base",), ("modernbert",), ("decoders",)]


def test_schema_and_key_table_are_written_from_the_code():
    assert reference.SCHEMA.read_text() == reference.schema_text()
    readme = reference.README.read_text()
    assert readme == reference.with_key_table(readme)


def test_every_key_of_a_configuration_has_a_default_or_is_named_there():
    defaults, text = read_yaml(CONFIGS / "defaults.yaml"), (CONFIGS / "defaults.yaml").read_text()
    keys = reference.schema()["properties"]
    assert keys.keys() - defaults.keys() == {"preset", "backbones"}
    assert all(f"# {key}:" in text for key in ("preset", "backbones"))
    for part in ("protocol", "training", "cost", "jobs", "figures", "tables"):
        described = reference.schema()["$defs"][keys[part]["$ref"].rpartition("/")[2]]["properties"]
        assert described.keys() == defaults[part].keys()


@pytest.mark.parametrize("files", PRESETS)
def test_presets_are_what_the_schema_describes(files):
    whole = preset(*files).as_mapping()
    validate(whole, str(reference.SCHEMA), set_default=False)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda c: c.update(lerning_rate=1), "$"),
        (lambda c: c["experiments"][0].update(tasks=["CoLA"]), "$.experiments[0].tasks[0]"),
        (lambda c: c["training"].update(batch_size="32"), "$.training.batch_size"),
        (lambda c: c["protocol"].update(sel_fraction=0.9), "$.protocol.sel_fraction"),
    ],
)
def test_the_schema_refuses_what_the_code_refuses(config, change, place):
    whole = config.as_mapping()
    change(whole)
    with pytest.raises(WorkflowError) as caught:
        validate(whole, str(reference.SCHEMA))
    assert caught.value.__context__.json_path == place


def test_every_recipe_changes_one_method_and_has_its_published_results():
    reported = (CONFIGS / "reported/table2.csv").read_text()
    recipes = sorted((CONFIGS / "recipes").glob("*.yaml"))
    assert len(recipes) == 9
    for recipe in recipes:
        main, *others = read_yaml(recipe)["variants"]
        assert recipe.stem.endswith(f"_{main}") and others == (["berxit_lte"] if main == "berxit" else [])
        assert (f",{main}," in reported) == (
            main not in ("pcee", "jeidnn")
        )  # of which no paper in the table prints numbers
        config = preset("bert-base", f"recipes/{recipe.stem}")
        assert config.preset == "as-released"
        for variant in (main, *others):
            assert config.variants[variant].training.epochs is not None and not config.variants[variant].tune
            assert not config.variants[variant].reuses_models
