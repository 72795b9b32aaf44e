"""One encoder in one form: pre-trained here on generated text, from the hub, or from a local folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from cosee.backbone import check_layers
from cosee.fetching import fetch_backbone
from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    entry, folder = snakemake.params.backbone, Path(snakemake.output.config).parent
    given = snakemake.params.backbone_dir
    if given:
        inner = Path(given) / snakemake.wildcards.backbone
        fetch_backbone(str(inner if inner.is_dir() else given), None, folder)
    elif entry["source"] == "hub":
        fetch_backbone(entry["repository"], entry["revision"], folder)
    else:
        from cosee.pretraining import make_backbone

        make_backbone(folder, num_layers=entry["layers"], threads=snakemake.threads, **entry["pretraining"])
    check_layers(folder, entry["layers"])
