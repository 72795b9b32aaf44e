"""A folder with tiny encoders, data, token ids and result folders, under the names that the commands' examples use."""

from pathlib import Path

import numpy as np
import pandas as pd
from helpers.presets import CONFIGS


def write_place(folder: Path, encoder: Path) -> Path:
    """Fill a folder; `encoder` is linked as resources/backbones/bert."""
    from helpers.results import write_workflow_folder
    from helpers.tiny import BAD, GOOD, OTHER, token_split

    from cosee.data.tokens import save_tokens
    from cosee.io import write_frame

    rng = np.random.default_rng(0)
    sentences = [" ".join(rng.choice((*GOOD, *BAD, *OTHER), rng.integers(2, 8))) for _ in range(120)]
    (folder / "resources/backbones").mkdir(parents=True)
    (folder / "resources/backbones/bert").symlink_to(encoder)
    rows = {"fit": 40, "sel": 24, "dev": 20, "cal": 60}
    tokens = {name: token_split(count, seed) for seed, (name, count) in enumerate(rows.items())}
    save_tokens(folder / "resources/tokens/bert/sst2.npz", tokens, "sst2", encoder / "tokenizer.json")
    for split, count in {"train": 60, "validation": 20}.items():
        columns = {"sentence1": sentences[:count], "sentence2": sentences[-count:], "label": [0, 1] * (count // 2)}
        write_frame(folder / f"GLUE/rte/{split}-00000-of-00001.parquet", pd.DataFrame(columns | {"idx": range(count)}))
    columns = {"sentence1": sentences[20:50], "sentence2": sentences[50:80], "label": -1, "idx": range(30)}
    write_frame(folder / "GLUE/rte/test-00000-of-00001.parquet", pd.DataFrame(columns))
    (folder / "config").symlink_to(CONFIGS)
    (folder / "reviews.txt").write_text("\n".join(sentences[:50]) + "\n")
    pairs = pd.DataFrame({"n": range(30), "sentence1": sentences[:30], "sentence2": sentences[-30:]})
    pairs.to_csv(folder / "pairs.csv", index=False)
    write_workflow_folder(folder / "laptop", accuracies={"cosee": 0.8, "vanilla": 0.7})
    write_workflow_folder(folder / "server", accuracies={"cosee": 0.8, "vanilla": 0.7}, draw=1)
    (folder / "results/runs/bert/sst2/cosee-energy/final").mkdir(parents=True)
    (folder / "results/runs/bert/sst2/cosee-energy/final/seed0").symlink_to(folder / "runs/mine")
    return folder
