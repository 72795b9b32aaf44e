"""The runs follow from the configuration only."""

import pytest
from helpers.presets import CONFIGS, preset

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.plan.checks import check, check_settings
from cosee.plan.configuration import configuration
from cosee.plan.curves import evaluated_splits
from cosee.plan.jobs import run_files
from cosee.plan.runs import Run, final_runs, predicted_splits
from cosee.plan.search import at_chosen_point, grid_points, grid_runs, point_name, search_owner, searches, with_point

OUTPUTS_OF_PABEE = {"patience": "", "pcee": "@pcee", "fpabee": "@fpabee"}
RECIPES = sorted(f"recipes/{path.stem}" for path in (CONFIGS / "recipes").iterdir())


def test_every_final_run_is_trained_once(config):
    runs = final_runs(config)
    assert len({run.folder for run in runs}) == len(runs)
    curve_tasks, others, seeds = 4, 2, len(config.seeds)
    variants, plain = 4, 2  # vanilla, wo_osc, wo_swm, cosee, with all seeds where there are curves; backbone, half
    static = 10  # depths 1 to 11 but for 6, one seed
    signals = 2 * 2  # entropy and softmax score for wo_osc and cosee, one seed
    methods = 9 + 4  # of Table 2, one seed; ConsistentEE has four points, and some variants share others' models
    later = 2  # JEI-DNN's two points, one seed
    probes = 2  # LYNX- and DYNAMAX-style, one seed
    albert = 6  # Table 3, one seed
    expected = variants * (curve_tasks * seeds + others) + (curve_tasks + others) * (methods + later + plain)
    expected += curve_tasks * (static + signals + probes + albert)
    assert len(runs) == expected


def test_vanilla_is_cosee_with_both_parts_off(config):
    runs = {run.variant: run for run in final_runs(config)}
    assert runs["vanilla"].method == runs["cosee"].method == "cosee"
    assert runs["vanilla"].settings == {"alpha": 0.0, "beta0": 0.0}
    assert runs["vanilla"].signal is None
    assert runs["wo_osc"].settings["alpha"] == 0 and runs["wo_swm"].settings["beta0"] == 0


def test_static_models_cover_every_depth(config):
    depths = {
        run.settings["depth"]
        for run in final_runs(config)
        if run.task == "sst2" and run.backbone == "bert" and run.method == "finetune"
    }
    assert depths == set(range(1, 13))


def test_grid_is_the_product_of_the_tuned_axes(own_search):
    own_search["grid"] = {"beta0": [0.2, 1.0, 10.0], "learning_rate": [0.001, 0.002]}
    own_search["variants"]["cosee"]["tune"] = ["learning_rate", "beta0"]
    runs = [run for run in grid_runs(configuration(own_search)) if run.name == "cosee-energy" and run.task == "rte"]
    assert len(runs) == 6
    assert {(run.training["learning_rate"], run.settings["beta0"]) for run in runs} == {
        (rate, beta) for rate in (0.001, 0.002) for beta in (0.2, 1.0, 10.0)
    }
    assert {run.seed for run in runs} == {0}
    assert len({run.folder for run in runs}) == 6


def test_training_examples_are_predicted_only_where_a_figure_shows_them(mini):
    def with_fit():
        config = configuration(mini)
        return {(r.task, r.variant) for r in final_runs(config) if "fit" in predicted_splits(r, config)}

    assert with_fit() == {("sst2", "cosee")}
    mini["figures"]["fig7"]["variants"] = ["cosee", "vanilla"]
    assert with_fit() == {("sst2", "cosee"), ("sst2", "vanilla")}
    mini["figures"]["fig7"] = None
    assert with_fit() == set()


def test_a_final_run_has_the_point_that_was_chosen_for_it(own_search):
    config = configuration(own_search)
    run = next(run for run in final_runs(config) if run.name == "cosee-energy")
    assert at_chosen_point(config, run, {run.name: {"point": {"beta0": 0.2}}}).settings["beta0"] == 0.2
    for chosen in ({"vanilla": {"point": {}}}, None, [run.name], {run.name: None}, {run.name: {"score": 1}}):
        with pytest.raises(InputError, match=rf"{run.backbone}/{run.task}/best.yaml: has no point for cosee-energy"):
            at_chosen_point(config, run, chosen)
    for point in ({"beta0": 7.0}, {"learning_rate": 7.0}, {}, None):
        with pytest.raises(InputError, match=r"best\.yaml: the point .* of cosee-energy is not in its grid"):
            at_chosen_point(config, run, {run.name: {"point": point}})


def test_one_grid_point_is_no_search(own_search):
    own_search["grid"] = {"beta0": [1.0]}
    config = configuration(own_search)
    assert grid_runs(config) == []
    ((run, points),) = [entry for name, entry in searches(config, "bert", "rte").items() if name == "cosee-energy"]
    assert points == [{"beta0": 1.0}]
    assert with_point(run, points[0]).settings["beta0"] == 1.0


def test_select_reads_what_the_grid_search_writes(own_search):
    config = configuration(own_search)
    trained = {run.folder for run in grid_runs(config)}
    read = {
        with_point(run, point, point_name(point)).folder
        for backbone, tasks in (("bert", TASKS), ("albert", ("qqp", "sst2", "qnli", "mnli")))
        for task in tasks
        for run, points in searches(config, backbone, task).values()
        for point in points
        if len(points) > 1
    }
    assert read == trained


@pytest.mark.parametrize(("per_signal", "signals"), [(False, {"energy"}), (True, {"energy", "entropy", "softmax"})])
def test_signals_share_the_point_of_the_first_or_have_their_own(own_search, per_signal, signals):
    own_search["search_per_signal"] = per_signal
    config = configuration(own_search)
    assert {run.signal for run in grid_runs(config) if run.task == "sst2"} == signals
    (entropy,) = [run for run in final_runs(config) if (run.name, run.task, run.seed) == ("cosee-entropy", "sst2", 0)]
    assert search_owner(config, entropy) == ("cosee-entropy" if per_signal else "cosee-energy")


def test_the_whole_encoder_has_a_search_and_everything_else_another_of_the_same_size(config):
    assert all(
        search_owner(config, run) == ("backbone" if run.variant == "backbone" else "vanilla")
        for run in final_runs(config)
    )
    searched = {(run.backbone, run.task, run.name) for run in grid_runs(config)}
    assert len(grid_runs(config)) == 2 * len(searched) and len(searched) == 2 * 10


def test_fingerprint_changes_with_every_setting_and_only_then(config):
    run = final_runs(config)[0]
    again = final_runs(preset("config"))[0]
    assert run.fingerprint() == again.fingerprint()
    changed = [
        with_point(run, {"learning_rate": 0.123}),
        with_point(run, {"alpha": 0.5}),
        Run(**{**vars(run), "seed": 99}),
        Run(**{**vars(run), "other_rules": ("patience",)}),
    ]
    assert len({run.fingerprint(), *(other.fingerprint() for other in changed)}) == 5


def test_a_run_serves_the_rules_that_are_applied_to_its_models(mini):
    mini["variants"]["pabee"] |= {"tune": ["learning_rate"], "tuned_as": None}
    mini["experiments"].append({"tasks": ["rte"], "signals": ["softmax"], "variants": ["vanilla"]})
    config = configuration(mini)
    rules = {(run.variant, run.backbone, run.task): run.rules for run in final_runs(config) if run.signal != "entropy"}
    assert rules["pabee", "bert", "rte"] == ("patience", "pcee", "fpabee")
    assert rules["pabee", "albert", "sst2"] == ("patience",)  # no experiment has the others there
    ensembles = ("geometric", "mean", "voting", "beem")
    assert rules["vanilla", "bert", "sst2"] == ("energy", "entropy", "softmax", *ensembles)  # one model for all signals
    assert rules["vanilla", "bert", "rte"] == ("energy", "softmax", *ensembles)
    assert rules["vanilla", "albert", "sst2"] == ("energy",)
    assert rules["backbone", "bert", "sst2"] == ("energy",) and rules["deebert", "bert", "rte"] == ("entropy",)
    assert {run.rules for run in final_runs(config) if run.name == "cosee-entropy"} == {("entropy",)}
    assert {run.rules for run in grid_runs(config) if run.variant == "pabee"} == {("patience",)}


def test_every_curve_has_the_outputs_of_the_checkpoint_of_its_rule(config):
    (run,) = [run for run in final_runs(config) if (run.name, run.backbone, run.task) == ("pabee", "bert", "rte")]
    expected = {rule: f"{run.folder}/logits-sel{end}.npz" for rule, end in OUTPUTS_OF_PABEE.items()}
    assert {rule: run.outputs_file("sel", rule) for rule in run.rules} == expected
    assert set(expected.values()) <= set(run_files(run, config))


def test_splits_follow_protocol_task_and_source(mini, tmp_path):
    def splits():
        config = configuration(mini)
        return predicted_splits(run, config), evaluated_splits(run, config)

    runs = final_runs(configuration(mini))
    (run,) = [r for r in runs if (r.name, r.task, r.backbone, r.seed) == ("vanilla", "mnli", "bert", 0)]
    assert splits() == (["sel", "cal", "dev", "dev_mm"], ["sel", "dev", "dev_mm"])
    mini["protocol"]["cal_max"] = 0
    assert splits()[0] == ["sel", "dev", "dev_mm"]
    mini["protocol"] |= {"name": "field", "cal_max": 500}
    assert splits()[0] == ["dev", "dev_mm"]
    mini["data"]["source"] = "hub"
    assert splits()[0] == ["dev", "dev_mm", "test", "test_mm"]
    mini["data_dir"] = str(tmp_path)
    assert splits()[0] == ["dev", "dev_mm"]
    (tmp_path / "mnli").mkdir()
    (tmp_path / "mnli" / "test_matched-00000-of-00001.parquet").touch()
    assert splits() == (["dev", "dev_mm", "test"], ["dev", "dev_mm"])


def test_paper_grid_has_144_points():
    assert len(grid_points(preset("paper"), "cosee")) == 3 * 3 * 4 * 4


def test_a_variant_may_take_the_point_of_one_that_is_tuned_with_a_signal(own_search):
    config = configuration(own_search)
    runs = [run for run in final_runs(config) if run.variant == "wo_osc"]
    assert {search_owner(config, run) for run in runs} == {"cosee-energy"}


def test_a_variant_may_be_trained_by_its_own_recipe(mini):
    mini["variants"]["deebert"]["training"] = {"epochs": 6, "batch_size": 8}
    runs = final_runs(configuration(mini))
    assert {(r.training["epochs"], r.training["batch_size"]) for r in runs if r.variant == "deebert"} == {(6, 8)}
    assert {(r.training["epochs"], r.training["batch_size"]) for r in runs if r.variant != "deebert"} == {(1, 16)}


def test_a_variant_may_differ_on_a_task(mini):
    mini["variants"]["gpfee"] |= {"fixed": {"dropout": 0.2}, "training": {"epochs": 3}}
    mini["variants"]["gpfee"]["fixed_by_task"] = {"mnli": {"frozen_layers": 3}}
    mini["variants"]["gpfee"]["training_by_task"] = {"rte": {"epochs": 4, "warmup": 0.5}}
    runs = {run.task: run for run in final_runs(configuration(mini)) if run.variant == "gpfee"}
    assert runs["mnli"].settings == {"dropout": 0.2, "frozen_layers": 3}
    assert runs["rte"].settings == {"dropout": 0.2}
    assert (runs["rte"].training["epochs"], runs["rte"].training["warmup"]) == (4, 0.5)
    assert (runs["mnli"].training["epochs"], runs["mnli"].training["warmup"]) == (3, mini["training"]["warmup"])


def test_the_released_recipes_are_those_of_the_released_code():
    config = preset("bert-base", *RECIPES)
    check(config)
    check_settings(config)
    of_bert = [run for run in final_runs(config) if run.backbone == "bert" and run.signal in (None, "energy")]
    runs = {(run.variant, run.task): run for run in of_bert}
    assert {run.rule for (name, _), run in runs.items() if name == "berxit"} == {"entropy"}
    assert not any("lte" in run.settings for (name, _), run in runs.items() if name == "berxit")
    assert runs["palbert", "rte"].settings == {"kl": "code", "last_takes_rest": False}
    assert runs["consistentee", "rte"].settings == {"alpha": 0.0}
    tasks = ("rte", "qnli", "mrpc", "sst2", "qqp", "mnli")
    assert [runs["gpfee", task].settings["frozen_layers"] for task in tasks] == [1, 1, 2, 2, 2, 3]
    assert runs["cosee", "sst2"].settings == {"alpha": 0.1, "beta0": 10.0, "signal": "energy"}
    assert runs["jeidnn", "rte"].settings == {"weights": "released", "pos_weight_max": 5.0, "cost_weight": 7.0}
    assert "fpabee" not in {name for name, _ in runs}  # on PABEE's models


@pytest.mark.parametrize(("task", "rows"), [("rte", 2490), ("mrpc", 3668), ("sst2", 67349), ("mnli", 392702)])
def test_pcee_bert_as_released_warms_up_for_200_steps(task, rows):
    config = preset("bert-base", *RECIPES)
    (run,) = [run for run in final_runs(config) if (run.variant, run.task) == ("pcee", task)]
    assert run.rule == "pcee"
    steps = run.training["epochs"] * -(-(rows - min(2000, round(rows / 10))) // run.training["batch_size"])
    assert run.training["warmup"] * steps == pytest.approx(200, rel=0.02)
