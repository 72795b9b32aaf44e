"""Rows of one task, from whichever source, cut into fit, sel and dev."""

from typing import TYPE_CHECKING

from cosee.data import check_rows, cut_splits, hub_rows, local_rows, split_counts
from cosee.io import write_frame
from cosee.scripting import logged
from cosee.tasks import TASKS

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    task = TASKS[snakemake.wildcards.task]
    data, cut = snakemake.params.data, snakemake.params.split
    if snakemake.params.data_dir:
        where, rows = "data_dir", local_rows(task, snakemake.params.data_dir)
    elif data["source"] == "hub":
        where, rows = data["repository"], hub_rows(task, data["repository"], data["revision"])
    else:
        from cosee.minidata import generate

        sizes = {split: data["generated"]["validation"] for split in task.eval_splits.values()}
        sizes["train"] = data["generated"]["train"]
        where, rows = (
            "minidata",
            generate(task.name, data["generated"]["seed"], sizes, data["generated"]["label_noise"]),
        )
    check_rows(rows, task, where)
    frame = cut_splits(
        rows,
        task,
        cut["name"],
        cut["sel_fraction"],
        cut["sel_max"],
        data["train_rows"].get(task.name),
        cut["split_seed"],
    )
    write_frame(snakemake.output.rows, frame)
    write_frame(snakemake.output.counts, split_counts(frame, task))
