"""The pipeline itself, as its user meets it: through the `snakemake` command."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

PROJECT = Path(__file__).parents[2]
REDUCED = Path(__file__).with_name("reduced.yaml")
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--snakefile", str(PROJECT / "workflow" / "Snakefile")]


def arguments(folder: Path, *targets: str, configs: tuple[Path, ...] = (REDUCED,)) -> list[str]:
    """The command line that builds targets in a folder of their own."""
    files = ["--configfile", *map(str, (PROJECT / "config" / "config.yaml", *configs))]
    return [*SNAKEMAKE, "--cores", "2", "--directory", str(folder), *targets, *files]


def snakemake(folder: Path, *targets: str, configs: tuple[Path, ...] = (REDUCED,), succeeds: bool = True) -> str:
    """Run it; give what it printed."""
    command = arguments(folder, *targets, configs=configs)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert (done.returncode == 0) == succeeds, done.stdout[-2000:] + done.stderr[-6000:]
    return done.stdout + done.stderr


def job_counts(output: str) -> dict[str, int]:
    """Jobs by rule, from the table that a dry-run prints."""
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE)}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder in which the reduced pipeline has been run from nothing."""
    folder = tmp_path_factory.mktemp("all")
    output = snakemake(folder, "all")
    assert "trainings in" in output and str(folder / "results") in output  # said before the start
    assert "time of all jobs" in output
    return folder


def test_every_table_and_figure_is_there(built):
    for number in (1, 2, 3, 4):
        assert all(
            (built / f"results/tables/table{number}.{kind}").stat().st_size > 100 for kind in ("csv", "md", "tex")
        )
    drawn = {path.name.split("_")[0] for path in (built / "figures").iterdir() if path.stat().st_size > 5000}
    assert drawn == {f"fig{number}" for number in (1, 3, 4, 5, 6, 7, 8, 9)}
    assert len(list((built / "figures").glob("*.svg"))) == len(list((built / "figures").glob("*.png"))) == 8


def test_tradeoff_has_the_promised_columns_methods_and_seeds(built):
    frame = pd.read_csv(built / "results/sst2/energy_tradeoff.csv", keep_default_na=False, na_values=[""])
    assert list(frame) == (
        "task backbone method signal seed split threshold mean_exit_layer speedup score accuracy f1".split()
    )
    bert = frame[frame["backbone"] == "bert"]
    assert set(bert["method"]) == {"static", "vanilla", "wo_osc", "wo_swm", "cosee", "random", "oracle"}
    assert set(bert.loc[bert["method"] == "static", "mean_exit_layer"]) == {1, 2, 3, 4}
    assert set(frame.loc[frame["method"] == "cosee", "seed"]) == {0, 1}
    assert frame["speedup"].between(1, 4).all()
    np.testing.assert_allclose(frame["speedup"], 4 / frame["mean_exit_layer"])
    assert frame.groupby(["backbone", "method", "seed", "split"]).size().max() <= 500


def test_tables_show_reported_beside_measured(built):
    table = pd.read_csv(built / "results/tables/table2.csv")
    cosee = table[(table["method"] == "cosee") & (table["task"] == "sst2")].iloc[0]
    assert (cosee["reported"], cosee["reported_speedup"]) == (93.0, 2.14)
    targets = pd.read_csv(built / "results/sst2/energy_targets.csv")
    chosen = targets.query("backbone == 'bert' and method == 'cosee' and target_speedup == 2 and split == 'dev'")
    assert cosee["measured_mean"] == pytest.approx(100 * chosen["score"].mean())
    assert cosee["speedup_mean"] == pytest.approx(chosen["speedup"].mean())
    assert "generated mini-GLUE" in (built / "results/tables/table2.md").read_text()


def test_runs_record_where_they_come_from(built):
    manifest = json.loads((built / "results/manifest.json").read_text())
    assert len(manifest["runs"]) == len(list(built.glob("results/runs/*/*/*/final/*/run.json")))
    assert manifest["config"]["preset"] == "mini"
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", manifest["commit"])
    assert manifest["versions"]["torch"].startswith("2.13.0")
    best = yaml.safe_load((built / "results/runs/bert/sst2/best.yaml").read_text())["chosen"]["cosee-energy"]
    assert best["split"] == "sel" and best["criterion"] == "area" and len(best["runners_up"]) == 1
    final = json.loads((built / "results/runs/bert/sst2/cosee-energy/final/seed1/run.json").read_text())
    assert final["run"]["settings"]["beta0"] == best["point"]["beta0"]


def test_only_final_weights_are_kept(built):
    kept = {path.relative_to(built).parts[5] for path in built.glob("results/runs/**/model.safetensors")}
    assert kept == {"final"}
    assert not list(built.rglob("state.safetensors")) and not list(built.rglob("*.partial*"))


def test_second_run_does_nothing(built):
    assert "Nothing to be done" in snakemake(built, "all")


def test_report_is_one_file_with_captions(built, tmp_path):
    report = tmp_path / "report.zip"
    snakemake(built, "all", "--report", str(report))
    assert report.stat().st_size > 100_000


def test_one_target_needs_only_its_task(tmp_path):
    jobs = job_counts(snakemake(tmp_path, "results/mnli/energy_tradeoff.csv", "--dry-run"))
    assert jobs["download"] == jobs["sweep"] == 1 and jobs["tokenize"] == 2
    assert not any("sst2" in name for name in jobs)


@pytest.mark.parametrize("target", ["data", "tables", "figures", *(f"table{n}" for n in (1, 2, 3, 4)), "fig5", "fig9"])
def test_named_targets(built, target):
    assert "Nothing to be done" in snakemake(built, target, "--dry-run")


def test_a_killed_run_goes_on_and_gives_the_same(built, tmp_path):
    folder = tmp_path / "killed"
    shutil.copytree(built, folder)
    run = "results/runs/bert/mnli/cosee-energy/final/seed1/logits-dev.npz"
    expected = (folder / run).read_bytes()
    shutil.rmtree(folder / "results/runs/bert/mnli")
    log = folder / "logs/train/final_bert_mnli_0.log"
    log.unlink()
    with subprocess.Popen(
        arguments(folder, run),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=PROJECT,
    ) as process:
        deadline = time.monotonic() + 300
        while not (log.exists() and "step" in log.read_text()):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    assert not (folder / run).exists()
    snakemake(folder, run)
    assert (folder / run).read_bytes() == expected


@pytest.mark.parametrize(
    ("files", "trainings", "others"),
    [
        (["config"], 20, {"sweep": 14, "download": 6, "tokenize": 10, "select": 10, "backbone": 2}),
        (["glue-small"], 612, {"sweep": 14, "download": 6, "tokenize": 6, "select": 6, "backbone": 1}),
        (["glue-small", "glue-small-cpu"], 18, {"sweep": 4, "download": 3, "tokenize": 3, "select": 3, "backbone": 1}),
        (["bert-base"], 128, {"sweep": 14, "download": 6, "tokenize": 10, "select": 10, "backbone": 2}),
    ],
)
def test_presets_plan_what_they_say(tmp_path, files, trainings, others):
    command = [*SNAKEMAKE, "--cores", "2", "--dry-run", "--directory", str(tmp_path)]
    configs = ["--configfile", *(str(PROJECT / "config" / f"{file}.yaml") for file in files)]
    done = subprocess.run([*command, "all", *configs], capture_output=True, text=True, check=True, cwd=PROJECT)
    jobs = job_counts(done.stdout + done.stderr)
    assert sum(count for name, count in jobs.items() if name.startswith("train_")) == trainings
    assert {name: jobs[name] for name in others} == others


def broken(change: Callable[[dict], None]) -> dict:
    """The reduced configuration with a mistake in it."""
    config = yaml.safe_load(REDUCED.read_text())
    change(config)
    return config


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(lerning_rate=1), ["lerning_rate"]),
        (lambda c: c["experiments"][0].update(tasks=["cola"]), ["cola"]),
        (lambda c: c.update(signals=["margin"]), ["margin"]),
        (lambda c: c.update(variants={"cosee": {"method": "cosy"}}), ["cosy"]),
        (lambda c: c.update(training={"learning_rate": "2e-5"}), ["2e-5"]),
        (lambda c: c["experiments"][0].update(variants=["unheard"]), ["unheard", "not defined"]),
        (lambda c: c.update(variants={"cosee": {"fixed": {"alfa": 1}}}), ["alfa", "alpha"]),
    ],
)
def test_a_wrong_configuration_stops_at_once_and_names_the_key(tmp_path, change, words):
    file = tmp_path / "broken.yaml"
    file.write_text(yaml.safe_dump(broken(change)))
    output = snakemake(tmp_path / "run", "all", configs=(file,), succeeds=False)
    assert all(word in output for word in words), output[-1500:]
    assert not list(tmp_path.glob("run/results/**/*.*"))


def test_a_data_folder_without_the_files_is_named(tmp_path):
    output = snakemake(tmp_path, "data", "--config", f"data_dir={tmp_path / 'nothing'}", succeeds=False)
    assert "data_dir: no file" in output and "nothing/mnli" in output
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_backbone_folder_without_weights_is_named(tmp_path):
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder/config.json").write_text("{}")
    config = f"backbone_dir={tmp_path / 'encoder'}"
    target = "resources/tokens/bert/sst2.npz"
    output = snakemake(tmp_path, target, "--config", config, succeeds=False)
    assert "has no weights" in output
    assert not list(tmp_path.rglob("resources/backbones/*/*.safetensors"))


def test_lint_is_clean():
    done = subprocess.run([*SNAKEMAKE, "--lint"], capture_output=True, text=True, check=False, cwd=PROJECT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_are_formatted():
    command = [sys.executable, "-m", "snakefmt", "--check", str(PROJECT / "workflow")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert done.returncode == 0, done.stderr
