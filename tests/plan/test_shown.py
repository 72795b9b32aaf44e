"""Tables and figures show what was trained for their backbone, tasks and signal."""

from cosee.plan.shown import (
    result_files,
    runs_of,
    shared_seeds,
    shown_curves,
    shown_seeds,
    shown_tasks,
    shown_variants,
    trained_curves,
)

COSEE = ["vanilla", "wo_osc", "wo_swm", "cosee"]


def variants_of(found):
    return {curve.variant for curve in found}


def test_tasks_that_are_not_trained_leave_their_place_out(config):
    fig8 = config.figures.fig8.model_copy(update={"tasks": ["rte", "sst2"]})
    assert shown_tasks(config, fig8) == ["sst2"]  # RTE has no models with entropy


def test_results_by_rule_are_read_where_such_variants_are_shown(config):
    assert result_files(config, config.figures.fig3, "density.csv") == ["results/sst2/energy_density.csv"]
    files = result_files(config, config.tables.table2, "targets.csv")
    assert "results/rte/energy_targets.csv" in files and "results/rte/rule_targets.csv" in files


def test_a_run_behind_several_curves_is_read_once(config):
    folders = [run.folder for run in runs_of(trained_curves(config, config.tables.methods))]
    assert len(set(folders)) == len(folders)
    assert "results/runs/bert/sst2/pabee/final/seed0" in folders  # PABEE's, PCEE's and F-PABEE's


def test_without_variants_all_multi_exit_ones_that_were_trained_are_shown(config):
    methods = config.figures.methods
    shown = shown_variants(config, methods)
    assert {"deebert", "pabee", "pcee", "consistentee", *COSEE} <= set(shown)
    assert not {"backbone", "half", "k_layers"} & set(shown)
    assert shown_variants(config, config.figures.fig8) == ["cosee", "wo_osc", "vanilla"]
    albert = methods.model_copy(update={"backbone": "albert"})
    assert set(shown_variants(config, albert)) == {"pabee", "palbert", "disentangledee", "vanilla", "cosee"}


def test_shown_curves_are_those_of_the_shown_variants_and_all_curves_have_the_static_ones_too(config):
    spec = config.tables.methods
    shown, trained = shown_curves(config, spec), trained_curves(config, spec)
    assert variants_of(trained) - variants_of(shown) == {"backbone", "half", "k_layers"}
    assert {curve.task for curve in trained} == set(spec.tasks)
    assert {curve.backbone for curve in trained} == {"bert"}


def test_figures_show_the_seeds_that_all_their_variants_have(config):
    assert shown_seeds(config, config.figures.fig4) == (0, 1, 2)
    assert shown_seeds(config, config.figures.fig8) == (0,)


def test_shared_seeds_are_those_of_every_variant_on_every_task(config):
    on_two = shown_curves(config, config.figures.fig4)
    assert shared_seeds(on_two) == (0, 1, 2)
    assert shared_seeds([curve for curve in on_two if (curve.task, curve.seed) != ("mnli", 1)]) == (0, 2)
