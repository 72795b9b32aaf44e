"""Every figure of a configuration has its files, inputs and seeds."""

from cosee.plan.captions import CAPTIONS
from cosee.plan.figures import (
    FIGURE_KINDS,
    figure_inputs,
    figure_rule,
    figure_runs,
    figure_seeds,
    figure_stem,
    reference_inputs,
)
from cosee.plan.settings import Figures


def test_every_figure_has_a_kind_and_a_caption():
    assert list(FIGURE_KINDS) == list(Figures.model_fields)
    assert all(figure_rule(name) in CAPTIONS for name in FIGURE_KINDS)


def test_only_figures_of_the_paper_have_a_number(config):
    stems = {name: figure_stem(name) for name in FIGURE_KINDS}
    assert stems["fig4"] == "fig4_tradeoff-energy" and stems["methods"] == "tradeoff-methods"
    assert len(set(stems.values())) == len(stems)


def test_training_curves_are_drawn_from_histories_and_all_else_from_results(config):
    assert {run.task for run in figure_runs(config, "fig6")} == {"sst2", "qnli"} and not figure_inputs(config, "fig6")
    assert not figure_runs(config, "fig5")
    assert figure_inputs(config, "fig5") == ["results/sst2/energy_dis.csv", "results/qnli/energy_dis.csv"]


def test_figures_of_other_signals_show_the_first_too(config):
    assert reference_inputs(config, "fig4") == reference_inputs(config, "fig5") == []
    assert reference_inputs(config, "fig8") == [
        f"results/{task}/energy_tradeoff.csv" for task in ("sst2", "qnli", "mnli", "qqp")
    ]


def test_figure_3_shows_one_seed(config):
    assert figure_seeds(config, "fig3") == (0,) and figure_seeds(config, "fig4") == (0, 1, 2)
