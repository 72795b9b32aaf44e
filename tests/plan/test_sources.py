"""Where rows and encoders come from, and what they are called."""

from helpers.presets import read

from cosee.plan import sources


def test_changes_of_an_encoder_are_part_of_its_source_and_of_its_name():
    preset, override = read("glue-small"), read("glue-small-cpu")
    assert sources.backbone_source(preset, "minilm").get("dropout") is None
    assert "dropout" not in sources.backbone_label(preset, "minilm")
    preset["backbones"]["minilm"] |= override["backbones"]["minilm"]
    source = sources.backbone_source(preset, "minilm")
    assert source["dropout"] == 0 and source["exit_state"] == "mean"
    assert sources.backbone_source(preset | {"backbone_dir": "encoders"}, "minilm")["dropout"] == 0
    preset["backbones"]["minilm"]["pooler"] = "fresh"
    said = "6 layers, dropout 0, exits read the mean over tokens, a fresh pooler per run;"
    assert said in sources.backbone_label(preset, "minilm")
    assert sources.backbone_source(preset, "minilm")["pooler"] == "fresh"
