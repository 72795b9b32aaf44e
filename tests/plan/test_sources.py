"""Sources of data and encoders, and their names."""

from helpers.presets import preset, read

from cosee.plan import sources
from cosee.plan.configuration import configuration


def test_changes_of_an_encoder_are_part_of_its_source_and_of_its_name():
    small, files = preset("glue-small"), ("glue-small", "glue-small-cpu")
    assert sources.backbone_source(small, "minilm").get("dropout") is None
    assert "dropout" not in sources.backbone_label(small, "minilm")
    changed = preset(*files)
    source = sources.backbone_source(changed, "minilm")
    assert source["dropout"] == 0 and source["exit_state"] == "mean"
    local = configuration(read(*files) | {"backbone_dir": "encoders"})
    assert sources.backbone_source(local, "minilm")["dropout"] == 0
    assert "6 layers, dropout 0, exits read the mean over tokens;" in sources.backbone_label(changed, "minilm")


def test_a_local_folder_is_never_called_generated(mini):
    assert sources.data_label(configuration(mini)) == "generated mini-GLUE"
    local = configuration(mini | {"data_dir": "/somewhere/mine"})
    assert sources.data_label(local) == "local copy mine"
    assert sources.data_source(local) == {"folder": "/somewhere/mine"}
