"""The package of docs/extending.md, installed by pip beside the project: its names in workflow and command line."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from helpers.pipeline import PROJECT, SNAKEMAKE, preset

EXAMPLE = PROJECT / "docs/examples/cosee-example"
TARGETS = [
    *(f"results/tables/{name}.md" for name in ("table1", "table2", "methods", "differences", "risk")),
    *("figures/tradeoff-methods.svg", "results/manifest.json"),
]
REDUCED = """
preset: mini
data: { generated: { train: 120, validation: 60 } }
backbones:
  bert: { layers: 4 }
  albert: null
protocol: { sel_fraction: 0.3, cal_max: 40, targets: [1.5, 2.0, 3.0] }
grid: null
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Folder with the installed package: built without network and without changing the environment."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    command = [*pip, "--disable-pip-version-check", "--target", str(folder / "site"), str(folder / "source")]
    subprocess.run(command, check=True)
    return folder / "site"


def run(command, site, folder):
    """A command of somebody who has the package installed; what it prints."""
    env = os.environ | {"PYTHONPATH": f"{PROJECT}{os.pathsep}{site}"}
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    return done.stdout


@pytest.fixture(scope="module")
def results(site, tmp_path_factory):
    """Folder of the workflow, which has been run with the package's configuration, cut down."""
    folder = tmp_path_factory.mktemp("results")
    (folder / "reduced.yaml").write_text(REDUCED)
    configs = map(str, (preset("config"), EXAMPLE / "example.yaml", folder / "reduced.yaml"))
    run([*SNAKEMAKE, "--cores", "2", "--directory", str(folder), *TARGETS, "--configfile", *configs], site, folder)
    return folder


def test_method_rule_and_task_have_their_rows_in_tables_and_figures(results):
    methods = pd.read_csv(results / "results/tables/methods.csv")
    assert {"in_turn", "plain_margin", "geometric", "beem", "cosee"} <= set(methods["variant"])
    assert "negations" in set(methods["task"])
    assert set(methods.query("variant == 'in_turn'")["exit_rule"].dropna()) == {"margin"}
    rows = {
        "methods": "In turn",
        "differences": "In turn",
        "table2": "In turn",
        "risk": "In turn",
        "table1": "Negations",
    }
    for table, row in rows.items():
        assert f"| {row} " in (results / f"results/tables/{table}.md").read_text()
    assert "Negations Acc" in (results / "results/tables/table2.md").read_text()
    curve = pd.read_csv(results / "results/negations/rule_tradeoff.csv").query("variant == 'in_turn'")
    assert set(curve["exit_rule"]) == {"margin"} and curve["speedup"].iloc[[0, -1]].tolist() == [1, 4]
    assert (results / "figures/tradeoff-methods.svg").stat().st_size > 10_000


def test_runs_and_manifest_name_the_package(results):
    added = {"version": "0.1", "methods": ["in_turn"], "rules": ["margin"], "tasks": ["negations"]}
    for file in ("results/manifest.json", "results/runs/bert/negations/in_turn/final/seed0/run.json"):
        assert json.loads((results / file).read_text())["plugins"] == {"cosee-example": added}


def test_the_answers_are_those_of_the_rule(results):
    """The row of the package's rule on the plain models, once more from their stored logits."""
    stored = np.load(results / "results/runs/bert/negations/vanilla/final/seed0/logits-dev@margin.npz")
    targets = pd.read_csv(results / "results/negations/rule_targets.csv").query("variant == 'plain_margin'")
    logits = stored["logits"].astype(float)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    probabilities = weights / weights.sum(-1, keepdims=True)
    means = np.cumsum(probabilities, axis=1) / np.arange(1, logits.shape[1] + 1)[:, None]
    margins = np.abs(means[..., 1] - means[..., 0])
    assert len(targets) == 3
    for row in targets.itertuples():
        passed = margins > row.threshold
        passed[:, -1] = True
        exits = passed.argmax(axis=1)
        right = means[np.arange(len(exits)), exits].argmax(-1) == stored["labels"]
        assert (row.score, row.speedup) == pytest.approx((right.mean(), 4 / (exits + 1).mean()))


def test_the_command_line_trains_exports_and_classifies_with_it(results, site):
    bert = "resources/backbones/bert"
    train = ["train", "--task", "negations", "--method", "in_turn", "--set", "period=3", "--out", "mine"]
    train += ["--tokens", "resources/tokens/bert/negations.npz", "--backbone", bert]
    train += ["--training", "epochs=2", "--training", "learning_rate=0.001"]
    code = f"""
from cosee.cli import main
assert main({train}) == 0
assert main(["export", "mine", "--backbone", "{bert}", "--out", "model"]) == 0
import cosee.export.hf_model
from transformers import AutoModelForSequenceClassification, AutoTokenizer
model, tokenizer = (kind.from_pretrained("model") for kind in (AutoModelForSequenceClassification, AutoTokenizer))
inputs = tokenizer(["critics say the film is not bad", "fans say the cast is dull"], padding=True, return_tensors="pt")
print(model.config.rule, model.config.id2label, model.rule.answer.__name__)
model.set_threshold(1.0)
assert model(**inputs).exit_layers.tolist() == [3, 3]
model.set_threshold(0.0)
assert model(**inputs).exit_layers.tolist() == [0, 0]
print(main({[*train, "--set", "period=1", "--out", "other"]}))
"""
    *_, facts, refused = run([sys.executable, "-c", code], site, results).splitlines()
    assert facts == "margin {0: 'negative', 1: 'positive'} arithmetic_mean"
    assert refused == "2"  # the range of the hyper-parameter is checked as that of any other
