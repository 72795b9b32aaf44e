"""Looks of variants, and files: the same bytes every time, whole or not at all."""

import struct

import pytest
from helpers import frames
from helpers.drawn import LABELS, NOTE, lines

from cosee.figures import dis_figure, save, tradeoff_figure, training_figure
from cosee.figures.style import COLORS, TEXT_WIDTH, line_styles


def test_variants_keep_their_looks_in_all_figures():
    looks = line_styles(LABELS)
    figures = [
        tradeoff_figure(frames.tradeoff(variants=("cosee",)), LABELS),
        training_figure(frames.history(variants=("cosee",), steps=50), LABELS),
    ]
    assert {lines(figure.axes[0])["COSEE"].get_color() for figure in figures} == {looks["cosee"]["color"]}


def test_looks_of_fourteen_variants_differ():
    looks = line_styles([f"variant {i}" for i in range(14)]).values()
    assert len({str(look) for look in looks}) == 14
    assert len({look["color"] for look in list(looks)[: len(COLORS)]}) == len(COLORS)


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_the_same_figure_gives_the_same_bytes(tmp_path, suffix):
    for name in ("first", "second"):
        save(dis_figure(frames.dis(("sst2",)), LABELS, NOTE), tmp_path / f"{name}{suffix}")
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("first", "second"))
    assert first == second
    assert len(first) > 5000
    assert b"atplotlib v" not in first
    assert b"dc:date" not in first
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"first{suffix}", f"second{suffix}"]


def test_png_has_the_resolution_of_print(tmp_path):
    save(dis_figure(frames.dis(), LABELS, NOTE), tmp_path / "dis.png")
    width, _ = struct.unpack(">II", (tmp_path / "dis.png").read_bytes()[16:24])
    assert width == 300 * TEXT_WIDTH


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "dis.svg"
    path.write_text("old")
    figure = dis_figure(frames.dis(), LABELS)
    monkeypatch.setattr(figure, "savefig", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save(figure, path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("dis.svg", "old")]
