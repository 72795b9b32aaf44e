"""One encoder in one form: from the package, pre-trained on generated text, from the hub, or local."""

from pathlib import Path
from typing import TYPE_CHECKING

from cosee.models.fetching import fetch_backbone
from cosee.models.loading import check_layers
from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    source, folder = snakemake.params.source, Path(snakemake.output.config).parent
    changes = {key: source.get(key) for key in ("dropout", "exit_state", "pooler")}
    if "folder" in source:
        inner = Path(source["folder"]) / snakemake.wildcards.backbone
        fetch_backbone(str(inner if inner.is_dir() else source["folder"]), None, folder, **changes)
    elif "repository" in source:
        fetch_backbone(snakemake.input[0], None, folder, **changes)
    elif "shipped" in source:
        from cosee.synthetic.steps.shipped import copy_shipped

        copy_shipped(source["shipped"], folder, source["layers"])
    else:
        from cosee.synthetic.decoders import LAYERS_AT, make_decoder
        from cosee.synthetic.pretraining import make_backbone

        make = make_decoder if source["pretraining"]["kind"] in LAYERS_AT else make_backbone
        make(folder, num_layers=source["layers"], threads=snakemake.threads, **source["pretraining"])
    check_layers(folder, source["layers"])
