"""Examples of one task from its source, cut into fit, sel and dev."""

from functools import partial
from typing import TYPE_CHECKING

from cosee.data.glue import check_rows, cut_splits, hub_rows, local_rows, split_counts
from cosee.data.tasks import TASKS
from cosee.io import write_frame
from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    task = TASKS[snakemake.wildcards.task]
    source, cut = snakemake.params.source, snakemake.params.cut
    num_cal = cut["cal_max"] if cut["name"] == "heldout" else 0
    if "folder" in source:
        where, rows = "data_dir", local_rows(task, source["folder"])
    elif "repository" in source:
        where, rows = source["repository"], hub_rows(task, source["repository"], source["revision"])
    else:
        if source["grammar"] == "steps":
            from cosee.synthetic.steps.generation import generate
        else:
            from cosee.synthetic.generation import generate

        sizes = {"train": source["train"], **dict.fromkeys(task.eval_splits.values(), source["validation"])}
        sizes |= {"calibration": num_cal} if num_cal else {}
        make = task.generate or partial(generate, task.name)
        where, rows = "minidata", make(source["seed"], sizes, source["label_noise"])
    check_rows(rows, task, where)
    frame = cut_splits(
        rows,
        task,
        cut["name"],
        cut["sel_fraction"],
        cut["sel_max"],
        snakemake.params.limit,
        cut["split_seed"],
        cut["held_rows"].get(task.name, 0),
        grouped="seed" not in source,  # generated examples share text only by chance
        cal_max=0 if "seed" in source else num_cal,
    )
    write_frame(snakemake.output.rows, frame)
    write_frame(snakemake.output.counts, split_counts(frame, task))
