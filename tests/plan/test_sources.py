"""Sources of data and encoders, and their names."""

from typing import get_args

from helpers.presets import preset, read

from cosee.models.poolers import POOLERS
from cosee.plan import sources
from cosee.plan.configuration import configuration
from cosee.plan.settings import Backbone


def test_changes_of_an_encoder_are_part_of_its_source_and_of_its_name():
    small, files = preset("glue-small"), ("glue-small", "glue-small-cpu")
    assert sources.backbone_source(small, "minilm").get("dropout") is None
    assert "dropout" not in sources.backbone_label(small, "minilm")
    changed = preset(*files)
    source = sources.backbone_source(changed, "minilm")
    assert source["dropout"] == 0 and source["exit_state"] == "mean"
    local = configuration(read(*files) | {"backbone_dir": "encoders"})
    assert sources.backbone_source(local, "minilm")["dropout"] == 0
    with_pooler = read(*files)
    with_pooler["backbones"]["minilm"]["pooler"] = "fresh"
    said = "6 layers, dropout 0, exits read the mean over tokens, a fresh pooler per run;"
    assert said in sources.backbone_label(configuration(with_pooler), "minilm")
    assert sources.backbone_source(configuration(with_pooler), "minilm")["pooler"] == "fresh"


def test_every_pooler_has_its_words():
    assert tuple(sources.POOLER_WORDS) == POOLERS
    assert get_args(get_args(Backbone.model_fields["pooler"].annotation)[0]) == POOLERS


def test_a_local_folder_is_never_called_generated(mini):
    assert sources.data_label(configuration(mini)) == "generated mini-GLUE"
    local = configuration(mini | {"data_dir": "/somewhere/mine"})
    assert sources.data_label(local) == "local copy mine"
    assert sources.data_source(local) == {"folder": "/somewhere/mine"}


def test_captions_say_that_exits_of_decoders_read_the_last_token_and_what_a_layer_costs():
    label = sources.backbone_label(preset("decoders"), "mamba")
    assert "12 layers, exits read the last token, normalized states instead of a pooler;" in label
    assert "on a CPU a layer takes about five times as long" in label
