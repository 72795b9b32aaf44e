"""The pipeline itself, as its user meets it: through the `snakemake` command."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers.pipeline import PROJECT, REDUCED_MINI, SNAKEMAKE, arguments, job_counts, preset, snakemake

from cosee.evaluation.outputs import load_outputs
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers

# --- what is planned --------------------------------------------------------------------------------------------------


def test_one_target_needs_only_its_task(tmp_path):
    planned = snakemake(tmp_path, "results/mnli/energy_tradeoff.csv", "--dry-run", configs=(preset("config"),))
    jobs = job_counts(planned)
    assert jobs["download"] == jobs["sweep"] == 1 and jobs["tokenize"] == jobs["train_grid"] == jobs["train_final"] == 2


@pytest.mark.parametrize(
    ("files", "trainings", "others"),
    [
        (["config"], 20, {"sweep": 20, "certify": 12, "download": 6, "tokenize": 10, "select": 10, "backbone": 2}),
        pytest.param(
            ["glue-small"],
            1758,
            {"sweep": 24, "download": 6, "tokenize": 6, "select": 6, "backbone": 1},
            marks=pytest.mark.slow,
        ),
        (["glue-small", "glue-small-cpu"], 67, {"sweep": 7, "download": 3, "tokenize": 3, "select": 3, "backbone": 1}),
        (["bert-base"], 187, {"sweep": 20, "download": 6, "tokenize": 10, "select": 10, "backbone": 2}),
        (["roberta-base"], 155, {"sweep": 13, "backbone": 3, "encoders_table": 1}),
        (["modernbert"], 198, {"sweep": 13, "backbone": 1, "table2": 1}),
        (["decoders"], 18, {"sweep": 6, "download": 3, "tokenize": 9, "select": 9, "backbone": 3, "encoders_table": 1}),
    ],
)
def test_presets_plan_what_they_say(tmp_path, files, trainings, others):
    jobs = job_counts(snakemake(tmp_path, "all", "--dry-run", configs=tuple(map(preset, files))))
    assert sum(count for name, count in jobs.items() if name.startswith("train_")) == trainings
    assert {name: jobs[name] for name in others} == others


def test_planning_and_fetching_need_no_torch(tmp_path):
    code = "import sys; sys.modules['torch'] = None; from snakemake.cli import main; main()"
    options = arguments(tmp_path, "fetch", "--dry-run", configs=(preset("bert-base"),))[3:]
    done = subprocess.run([sys.executable, "-c", code, *options], capture_output=True, text=True, cwd=PROJECT)
    assert done.returncode == 0, done.stderr
    jobs = job_counts(done.stdout + done.stderr)
    assert jobs == {"download": 6, "hub_encoder": 2, "fetch": 1, "total": 9}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("driver", "places", "at_once"),  # of 4 cores; several places say that jobs go where GPUs are
    [(True, 1, 1), (True, 3, 3), (True, 9, 4), (False, 1, 4), (False, 3, 3)],
)
def test_as_many_trainings_share_a_gpu_as_it_is_said_to_have_places(tmp_path, driver, places, at_once):
    here = f"from cosee import provenance; provenance.has_nvidia_driver = lambda: {driver}"
    start = "from snakemake.cli import main; main()"
    options = arguments(tmp_path, "resources/rows/mnli.parquet", "--resources", f"gpu={places}")[3:]
    command = [sys.executable, "-c", f"{here}; {start}", *options, "--cores", "4", "--force"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT)
    assert f", {at_once} at once)" in done.stderr


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mistake", "sentence"),  # one that the schema finds, one of those that it cannot, and one of a method
    [
        ({"training": {"learning_rate": "2e-5"}}, "config: training.learning_rate is '2e-5'; expected a number."),
        ({"reference_variant": "unheard"}, "config: reference_variant names 'unheard', which is not defined"),
        ({"variants": {"cosee": {"fixed": {"alfa": 1}}}}, "no hyper-parameter 'alfa'; expected one of alpha"),
    ],
)
def test_a_wrong_configuration_stops_at_once_and_names_the_key(tmp_path, mistake, sentence):
    file = tmp_path / "mistake.yaml"
    file.write_text(yaml.safe_dump(mistake))
    output = snakemake(tmp_path / "run", "all", configs=(*REDUCED_MINI, file), succeeds=False)
    assert sentence in output
    assert not list(tmp_path.glob("run/results/**/*.*"))


@pytest.mark.parametrize(
    "part", [["--config", "preset=paper"], ["--configfile", str(preset("recipes/xin2020_deebert"))]]
)
def test_a_part_of_a_preset_is_not_taken_for_a_whole_one(tmp_path, part):
    command = [*SNAKEMAKE, "all", "--dry-run", "--cores", "2", "--directory", str(tmp_path), *part]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert done.returncode == 1
    assert "only a part is given; presets are chosen by file" in done.stdout + done.stderr


def test_folders_without_the_files_are_named(tmp_path):
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder/config.json").write_text("{}")
    folders = f"data_dir={tmp_path / 'nothing'}", f"backbone_dir={tmp_path / 'encoder'}"
    targets = "resources/rows/mnli.parquet", "resources/backbones/bert/model.safetensors"
    output = snakemake(tmp_path, *targets, "--config", *folders, succeeds=False)
    assert "data_dir: no file" in output and "nothing/mnli" in output
    assert "has no weights" in output
    assert not list(tmp_path.rglob("*.parquet")) and not list(tmp_path.rglob("*.safetensors"))


def test_no_rule_calls_the_python_of_the_search_path():
    """Which may be another than Snakemake's: the README starts `.venv/bin/snakemake` without activating anything."""
    for file in (PROJECT / "workflow").rglob("*.smk"):
        assert not re.search(r"\bpython3?\b -", file.read_text()), file.name


def test_lint_is_clean():
    done = subprocess.run([*SNAKEMAKE, "--lint"], capture_output=True, text=True, check=False, cwd=PROJECT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_are_formatted():
    command = [sys.executable, "-m", "snakefmt", "--check", str(PROJECT / "workflow")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert done.returncode == 0, done.stderr


# --- what is built ----------------------------------------------------------------------------------------------------


def test_it_says_what_it_will_do_and_what_took_how_long(built):
    printed = (built / "printed.txt").read_text()
    assert "trainings in" in printed and str(built / "results") in printed  # said before the start
    assert "time of all jobs" in printed


def test_every_table_and_figure_is_there(built):
    for name in (
        *(f"table{number}" for number in (1, 2, 3, 4)),
        "methods",
        "calibration",
        "steps",
        "differences",
        "risk",
        "latency",
    ):
        assert all((built / f"results/tables/{name}.{kind}").stat().st_size > 100 for kind in ("csv", "md", "tex"))
    drawn = {path.stem.split("_")[0] for path in (built / "figures").iterdir() if path.stat().st_size > 5000}
    assert drawn == {f"fig{number}" for number in (1, 3, 4, 5, 6, 7, 8, 9)} | {
        "tradeoff-methods",
        "risk",
        "latency",
        "steps",
    }
    assert len(list((built / "figures").glob("*.svg"))) == len(list((built / "figures").glob("*.png"))) == 12


def test_tradeoff_has_the_promised_columns_methods_and_seeds(built):
    frame = pd.read_csv(built / "results/sst2/energy_tradeoff.csv", keep_default_na=False, na_values=[""])
    assert list(frame) == (
        "task backbone variant exit_rule seed split model threshold mean_exit_layer speedup speedup_flops".split()
        + "score accuracy f1 first_exit_score rule".split()
    )
    bert = frame[frame["backbone"] == "bert"]
    assert set(bert["variant"]) == {"static", "vanilla", "wo_osc", "wo_swm", "cosee", "random", "oracle"}
    assert set(bert.loc[bert["variant"] == "static", "mean_exit_layer"]) == {1, 2, 3, 4}
    assert set(frame.loc[frame["variant"] == "cosee", "seed"]) == {0, 1}
    assert frame["speedup"].between(1, 4).all()
    np.testing.assert_allclose(frame["speedup"], 4 / frame["mean_exit_layer"])
    assert frame.groupby(["backbone", "variant", "seed", "split"]).size().max() <= 500


def test_tables_show_reported_beside_measured(built):
    table = pd.read_csv(built / "results/tables/table2.csv")
    cosee = table[(table["variant"] == "cosee") & (table["task"] == "sst2")].iloc[0]
    assert (cosee["reported"], cosee["reported_speedup"]) == (93.0, 2.14)
    targets = pd.read_csv(built / "results/sst2/energy_targets.csv")
    chosen = targets.query("backbone == 'bert' and variant == 'cosee' and target_speedup == 2 and split == 'dev'")
    assert cosee["measured_mean"] == pytest.approx(100 * chosen["score"].mean())
    assert cosee["speedup_mean"] == pytest.approx(chosen["speedup"].mean())
    assert "generated mini-GLUE" in (built / "results/tables/table2.md").read_text()


def test_early_exit_is_timed_on_the_rows_that_it_says(built):
    table = pd.read_csv(built / "results/tables/latency.csv")
    assert set(zip(table["batch_size"], table["target_speedup"], strict=True)) == {
        (size, target) for size in (1, 8) for target in (1.5, 2.0, 3.0)
    }
    timings = pd.read_csv(built / "results/latency.csv")
    early = timings.query("contender == 'early' and batch_size == 1 and target_speedup == 2 and round == 0")
    assert len(early) == 12
    speedup = table.query("batch_size == 1 and target_speedup == 2")["layer_speedup"].item()
    assert speedup == pytest.approx(4 * 12 / early["layers"].sum())
    assert "1 thread" in (built / "results/tables/latency.md").read_text()


def test_what_a_preset_costs_is_measured_on_its_own_rows(built):
    costs = pd.read_csv(built / "results/cost.csv")
    runs = [json.loads(path.read_text()) for path in built.glob("results/runs/**/run.json")]
    assert costs["trainings"].sum() == len(runs)
    assert costs["rows_trained"].sum() == sum(run["rows"]["fit"] * run["run"]["training"]["epochs"] for run in runs)
    assert (costs["hours"] > 0).all()
    table = (built / "results/tables/cost.md").read_text()
    assert f"| all           | {len(runs)} " in table and "Timed: 10 steps" in table


def test_methods_are_compared_with_the_reference_variant(built):
    table = pd.read_csv(built / "results/tables/methods.csv")
    runs = [json.loads(path.read_text()) for path in built.glob("results/runs/bert/sst2/vanilla/final/*/run.json")]
    cost = table.query("variant == 'vanilla' and task == 'sst2' and measure == 'seconds'")["mean"].item()
    assert cost == pytest.approx(np.mean([run["seconds"]["training"] for run in runs]))
    differences = pd.read_csv(built / "results/tables/differences.csv").query("task == 'sst2'")
    matched, differences = (
        differences[differences["view"] == view].set_index("variant") for view in ("matched", "deployed")
    )
    targets = pd.read_csv(built / "results/sst2/energy_targets.csv").query("backbone == 'bert' and target_speedup == 2")
    scores = 100 * targets.groupby("variant")["score"].mean()
    for method in ("vanilla", "wo_osc", "wo_swm"):
        assert differences.at[method, "difference"] == pytest.approx(scores[method] - scores["cosee"])
    assert set(differences.index) == {"half", "vanilla", "wo_osc", "wo_swm", "pabee", "pcee", "consistentee"}
    assert set(matched.index) == set(differences.index)
    assert set(matched.loc[["vanilla", "half"], "speedup"]) == set(matched["reference_speedup"]) == {2.0}


def test_methods_leave_by_their_own_rules(built):
    curves = pd.read_csv(built / "results/sst2/rule_tradeoff.csv")
    rules = {(row.variant, row.exit_rule, row.model) for row in curves.itertuples()}
    points = {f"consistentee-alpha-{alpha}" for alpha in (0.001, 0.01)}
    assert rules == {("pabee", "patience", "pabee"), ("pcee", "pcee", "pabee")} | {
        ("consistentee", "policy", point) for point in points
    }
    targets = pd.read_csv(built / "results/sst2/rule_targets.csv")
    assert (targets["adjustable"] == (targets["variant"] != "consistentee")).all()
    assert (targets.groupby(["variant", "target_speedup"]).size() == 1).all()
    assert set(pd.read_csv(built / "results/tables/methods.csv")["variant"]) >= {
        "pabee",
        "pcee",
        "consistentee",
        "cosee",
    }


def test_runs_record_where_they_come_from(built):
    manifest = json.loads((built / "results/manifest.json").read_text())
    assert len(manifest["runs"]) == len(list(built.glob("results/runs/*/*/*/final/*/run.json")))
    assert manifest["config"]["preset"] == "mini"
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", manifest["commit"])
    assert manifest["versions"]["torch"].startswith("2.13.0")
    best = yaml.safe_load((built / "results/runs/bert/sst2/best.yaml").read_text())["chosen"]["vanilla"]
    assert best["split"] == "sel" and best["criterion"] == "area" and len(best["runners_up"]) == 1
    final = json.loads((built / "results/runs/bert/sst2/cosee-energy/final/seed1/run.json").read_text())
    assert final["run"]["training"]["learning_rate"] == best["point"]["learning_rate"]


def test_risks_are_those_of_the_stored_outputs(built):
    frame = pd.read_csv(built / "results/sst2/energy_risk.csv").query("variant == 'cosee' and seed == 0")
    assert set(frame["procedure"]) == {"naive", "crc", "ltt", "lynx"} and set(frame["loss"]) == {"same", "harm"}
    assert set(frame["num_calibration"]) == {60}
    rule = RULES["energy"]
    outputs = load_outputs(built / "results/runs/bert/sst2/cosee-energy/final/seed0/logits-dev.npz")
    for row in frame.query("loss == 'same'").itertuples():
        exits = exit_layers(outputs.exit_scores(rule), row.threshold, rule.harder_is)  # NaN: no early exit
        taken = outputs.predicted[range(len(exits)), exits]
        assert row.risk == pytest.approx((taken != outputs.predicted[:, -1]).mean())
    by_rule = pd.read_csv(built / "results/sst2/rule_risk.csv")
    assert set(by_rule["variant"]) == {"pabee", "pcee", "consistentee"}


def test_only_weights_that_something_reads_are_kept_and_nothing_twice(built):
    kept = [str(path.parent.relative_to(built)) for path in built.glob("results/runs/**/model.safetensors")]
    assert kept == ["results/runs/bert/sst2/cosee-energy/final/seed0"]
    assert not list(built.rglob("state.safetensors")) and not list(built.rglob("*.partial*"))


def test_nothing_is_left_to_do_for_any_target(built):
    tables = (*(f"table{number}" for number in (1, 2, 3, 4)), "methods", "calibration", "differences", "risk", "steps")
    figures = (f"fig{number}" for number in (1, 3, 4, 5, 6, 7, 8, 9))
    assert "Nothing to be done" in snakemake(built, "all", "data", "tables", "figures", *tables, *figures)


def test_report_is_one_file_with_captions(built, tmp_path):
    report = tmp_path / "report.zip"
    snakemake(built, "all", "--report", str(report))
    assert report.stat().st_size > 100_000


RUN = "results/runs/albert/mnli/cosee-energy/final/seed1/logits-dev.npz"


@pytest.fixture(scope="module", autouse=True)
def interrupted(request, tmp_path_factory):
    """A folder in which a training was killed and the command given again, beside the other tests of this file."""
    if not any(item.name == test_a_killed_run_resumes_and_gives_the_same.__name__ for item in request.session.items):
        yield None
        return
    folder = tmp_path_factory.mktemp("killed") / "run"
    shutil.copytree(request.getfixturevalue("built"), folder)
    with ThreadPoolExecutor() as beside:
        yield beside.submit(kill_and_resume, folder)


def kill_and_resume(folder):
    for trained in folder.glob("results/runs/albert/mnli/*/final"):
        shutil.rmtree(trained)
    logs = folder / "logs/train/final/albert/mnli"
    shutil.rmtree(logs)
    with subprocess.Popen(
        arguments(folder, RUN),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=PROJECT,
    ) as process:
        deadline = time.monotonic() + 300
        while not any("step" in log.read_text() for log in logs.glob("*.log")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    assert not (folder / RUN).exists()
    snakemake(folder, RUN)
    return folder


def test_a_killed_run_resumes_and_gives_the_same(built, interrupted):
    assert (interrupted.result() / RUN).read_bytes() == (built / RUN).read_bytes()


def test_a_finished_run_is_not_trained_again_when_its_record_is_lost_and_one_that_lacks_a_file_is(built, tmp_path):
    folder = shutil.copytree(built, tmp_path / "run")
    (record,) = folder.glob("results/trained/final/albert/mnli/*.json")
    before = record.read_bytes()
    record.unlink()
    snakemake(folder, str(record.relative_to(folder)))
    assert record.read_bytes() == before
    (folder / RUN).unlink()
    printed = snakemake(folder, str(record.relative_to(folder)))
    assert "a file of its runs is missing" in printed
    assert (folder / RUN).read_bytes() == (built / RUN).read_bytes() and record.read_bytes() != before
