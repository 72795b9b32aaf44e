"""Densities of the energy, at the paper's layers in any depth."""

import numpy as np
import pytest
from helpers import frames
from helpers.drawn import NOTE, legend
from hypothesis import given
from hypothesis import strategies as st

from cosee.figures import energy_figure, paper_layers


@pytest.mark.parametrize(
    ("depth", "layers"), [(12, (2, 6, 10)), (6, (1, 3, 5)), (24, (4, 12, 20)), (2, (1,)), (3, (1, 2))]
)
def test_layers_of_the_paper_are_scaled_to_the_depth(depth, layers):
    assert paper_layers(depth) == layers


@given(st.integers(2, 48))
def test_layers_of_the_paper_are_internal_exits(depth):
    layers = paper_layers(depth)
    assert list(layers) == sorted(set(layers))
    assert layers[0] >= 1
    assert layers[-1] < depth


def test_energy_panels_draw_the_densities_of_three_layers():
    density = frames.density()
    figure = energy_figure(density, NOTE)
    assert legend(figure) == ["layer 2", "layer 6", "layer 10"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["energy score", "normalized energy score"]
    rows = density[(density["kind"] == "raw") & (density["layer"] == 6) & (density["seed"] == 1)]
    outline = next(patch for patch in figure.axes[0].patches if patch.get_label() == "layer 6")
    np.testing.assert_array_equal(outline.get_data().values, rows["density"])
    np.testing.assert_array_equal(outline.get_data().edges, [*rows["bin_left"], rows["bin_right"].iloc[-1]])


def test_energy_takes_the_layers_at_hand_or_asked_for():
    density = frames.density(seeds=(1,))
    few = density[density["layer"].isin((3, 12))]
    assert legend(energy_figure(few)) == ["layer 3", "layer 12"]
    assert legend(energy_figure(density, layers=(1,))) == ["layer 1"]
    assert legend(energy_figure(frames.density(seeds=(1,), num_layers=6))) == ["layer 1", "layer 3", "layer 5"]
