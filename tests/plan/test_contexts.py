"""Captions name data, backbones and seeds of what they stand below."""

from cosee.plan.contexts import context, context_of_figure, context_of_table


def test_the_context_of_all_runs(config):
    whole = context(config)
    assert (whole.preset, whole.data, whole.protocol) == ("mini", "generated mini-GLUE", "heldout")
    assert whole.backbones == {"bert": "mini-BERT (12 layers)", "albert": "mini-ALBERT (12 layers)"}


def test_seeds_that_only_some_curves_have_are_told_apart(config):
    assert context_of_figure(config, "fig4").seeds == (0, 1, 2)
    assert context_of_figure(config, "fig4").more_seeds == ()
    methods = context_of_table(config, config.tables.methods)  # baselines have one seed, the ablation three
    assert (methods.seeds, methods.more_seeds) == ((0,), (1, 2))
