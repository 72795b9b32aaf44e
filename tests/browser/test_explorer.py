"""The explorer in a real browser: every view opens, controls change what is drawn, numbers are those of the files."""

import csv
import io
import re

import numpy as np
import pandas as pd
import pytest
from helpers import explored

from cosee.evaluation.outputs import load_outputs
from cosee.evaluation.steps import frame_by_steps, rank_correlation
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers
from cosee.io import read_frame
from cosee.tables.calibration import calibration
from cosee.tables.risk import risks

VIEWS = ("tradeoff", "operating", "examples", "reliability", "training", "claims", "provenance")


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+\.\d+", text.replace("\u2212", "-"))]  # a minus sign


def curve(folder, variant="cosee", seed=0, signal="energy"):
    """Rows of one seed's curve on dev of SST-2, slowest first."""
    rows = read_frame(folder / f"results/sst2/{signal}_tradeoff.csv")
    rows = rows[(rows["variant"] == variant) & (rows["seed"] == seed) & (rows["split"] == "dev")]
    return rows.sort_values("speedup", ignore_index=True)


def saved(explorer, button):
    """Content of the file that a button downloads."""
    with explorer.tab.expect_download() as download:
        explorer.tab.click(button)
    return download.value.path().read_text()


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_opens_in_its_width_without_a_complaint_or_a_request(explorer, view, width):
    page = explorer(f"view={view}", width=width)
    page.tab.wait_for_timeout(200)
    assert page.complaints == []
    assert {url.partition("#")[0] for url in page.requests} <= {page.file.as_uri(), "about:blank"}
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= width
    assert page.tab.get_attribute("nav a[aria-current]", "data-view") == view
    assert len(page.text("main")) > 50


def test_texts_and_names_are_shown_and_not_read(explorer):
    page = explorer("view=examples")
    shown = page.tab.eval_on_selector_all("#examples .text", "nodes => nodes.map(node => node.textContent)")
    assert shown[: len(explored.HOSTILE)] == explored.HOSTILE
    assert page.tab.evaluate("window.hacked") is None
    page.open("view=tradeoff")
    assert explored.NAME in page.text(".methods") and explored.NAME in page.text("#answer")
    assert page.tab.query_selector(".methods b, #answer b, .plot img") is None
    page.open("view=claims")
    assert "OSC raises DIS <i>" in page.text("main") and page.complaints == []


def test_methods_are_hidden_and_highlighted_and_the_page_says_so(explorer):
    page = explorer("view=tradeoff&task=sst2")
    series = {trace["series"] for trace in page.traces("tradeoff")}
    assert {"cosee|energy", "vanilla|energy", "pabee|patience", "pcee|pcee", "random|energy", "static|energy"} <= series
    page.act(lambda: page.tab.uncheck("input[data-series='pabee|patience']"))
    assert {trace["series"] for trace in page.traces("tradeoff")} == series - {"pabee|patience"}
    assert "Hidden: PABEE (patience)." in page.text("#hidden")
    page.act(lambda: page.tab.uncheck("input[data-key=random]"))
    assert "random exits" in page.text("#hidden")
    bands = [trace["series"] for trace in page.traces("tradeoff") if trace["part"] == "band"]
    assert bands == ["cosee|energy"]
    page.act(lambda: page.tab.click("button[aria-label^='Highlight w/o SWM']"))
    assert [t["series"] for t in page.traces("tradeoff") if t["part"] == "band"] == ["vanilla|energy"]


def test_the_curves_are_those_of_the_files_on_both_axes(explorer, explored_folder):
    page = explorer("view=tradeoff&task=sst2&rule=entropy")
    for axis, column in {"layers": "speedup", "flops": "speedup_flops"}.items():
        page.choose("axis", axis)
        (drawn,) = [trace for trace in page.traces("tradeoff") if trace["series"] == "cosee|entropy"]
        rows = curve(explored_folder, signal="entropy")
        places = [abs(rows[column] - x).argmin() for x in drawn["x"]]
        np.testing.assert_allclose(drawn["x"], rows[column][places], rtol=1e-6)
        np.testing.assert_allclose(drawn["y"], 100 * rows["score"][places], rtol=1e-6)
    page.choose("scale", "log")
    assert page.tab.eval_on_selector("[data-chart=tradeoff] .plot", "node => node.layout.xaxis.type") == "log"


def test_the_file_of_a_chart_holds_its_numbers(explorer, explored_folder):
    page = explorer(
        "view=tradeoff&task=sst2&hide=vanilla|energy,pabee|patience,pcee|pcee,palbert|quantile&static=0&random=0"
    )
    rows = list(csv.DictReader(io.StringIO(saved(page, "[data-chart=tradeoff] button:text-is('CSV')"))))
    mine = [row for row in rows if row["method"] == explored.NAME and row["seed"] == "0"]
    theirs = curve(explored_folder).set_index("threshold")
    thresholds = [theirs.index[abs(theirs.index - float(row["threshold"])).argmin()] for row in mine]
    assert len(mine) > 100
    for name in ("speedup", "speedup_flops", "score", "accuracy"):
        np.testing.assert_allclose([float(row[name]) for row in mine], theirs.loc[thresholds, name], rtol=2e-6)
    picture = saved(page, "[data-chart=tradeoff] button:text-is('SVG')")
    assert picture.startswith("<svg") and "speed-up in layers" in picture and "onerror" not in picture


def test_the_numbers_of_a_chart_are_a_table_too(explorer):
    page = explorer("view=operating&task=sst2")
    page.tab.click("[data-chart=exits] button:text-is('Numbers')")
    cells = page.tab.eval_on_selector_all(
        "[data-chart=exits] tbody td:last-child", "n => n.map(c => Number(c.textContent))"
    )
    assert sum(cells) == explored.EXAMPLES
    assert page.tab.get_attribute("[data-chart=exits] .plot", "role") == "img"
    assert "negative" in page.tab.get_attribute("[data-chart=exits] .plot", "aria-label")


def test_differences_are_those_of_the_table_with_any_reference(explorer, explored_folder):
    from helpers.explored import config

    from cosee.plan.runs import display_names
    from cosee.plan.shown import shown_curves
    from cosee.runs.points import matched_points
    from cosee.tables import differences

    plan = config()
    curves = [each for each in shown_curves(plan, plan.tables.differences, ["vanilla", "cosee"]) if each.task == "sst2"]
    points, names = matched_points(curves, 2.0, explored_folder), display_names(plan, ["vanilla", "cosee"])
    page = explorer("view=tradeoff&task=sst2&target=2")
    for reference, other in (("cosee", "vanilla"), ("vanilla", "cosee")):
        page.choose("ref", f"{reference}|energy")
        table = differences({"matched": points}, names, reference, backbone="bert", target_speedup=2.0)
        (row,) = table[(table["task"] == "sst2") & (table["variant"] == other)].itertuples()
        cells = page.tab.eval_on_selector_all(
            "#equal-cost ~ .pair tbody tr", "rows => rows.map(row => [...row.children].map(cell => cell.textContent))"
        )
        (line,) = [cell for cell in cells if cell[0] == names[other]]
        assert numbers(line[2]) == [pytest.approx(row.difference, abs=0.0051)]
        assert numbers(line[3]) == pytest.approx([row.low, row.high], abs=0.0051)
        assert line[4] in ("better", "worse", "no verdict")


def test_the_sentence_names_the_best_method_and_whether_that_is_noise(explorer):
    page = explorer("view=tradeoff&task=sst2&target=2")
    sentence = page.text("#answer")
    cells = page.tab.eval_on_selector_all(
        "#equal-cost ~ .pair tbody tr", "rows => rows.map(row => [...row.children].map(cell => cell.textContent))"
    )
    scores = {line[0]: numbers(line[1])[0] for line in cells if numbers(line[1])}
    best = max(scores, key=scores.get)
    assert sentence.startswith(f"At 2× on SST-2 (dev, equal mean exit layer) {best} has the highest mean score")
    assert re.search(r"verdict|noise|tell them apart", sentence)
    page.choose("target", "3")
    assert page.text("#answer").startswith("At 3×")


def test_the_sentence_has_the_interval_of_the_best_method_against_the_second(explorer):
    page = explorer("view=tradeoff&task=mrpc&target=2")
    table = "#equal-cost ~ .pair tbody tr", "rows => rows.map(row => [...row.children].map(cell => cell.textContent))"
    (best, _, *_), (second, _, *_) = page.tab.eval_on_selector_all(*table)
    ids = {explored.NAME: "cosee|energy", "w/o SWM & OSC": "vanilla|energy"}
    page.choose("ref", ids[second])
    (line,) = [cells for cells in page.tab.eval_on_selector_all(*table) if cells[0] == best]
    gap, low, high = numbers(line[2]) + numbers(line[3])
    assert f"{best} has the highest mean score" in page.text("#answer") and low < gap < high and gap > 0
    assert numbers(page.text("#answer"))[1:] == [gap, low, high]
    assert ("noise" in page.text("#answer")) == (low < 0)


def test_an_operating_point_is_that_of_the_file_and_its_counts_are_those_of_the_outputs(explorer, explored_folder):
    page = explorer("view=operating&task=sst2&seed=1")
    rows = curve(explored_folder, seed=1)
    outputs = load_outputs(explored_folder / "results/runs/bert/sst2/cosee-energy/final/seed1/logits-dev.npz")
    for jump in (1.5, 3):
        page.act(lambda jump=jump: page.tab.click(f"button[data-jump='{jump}']"))
        facts = dict(
            zip(page.text("#readout").splitlines()[::2], page.text("#readout").splitlines()[1::2], strict=True)
        )
        row = rows.loc[(rows["threshold"] - numbers(facts["Threshold"])[0]).abs().idxmin()]
        assert numbers(facts["Speed-up in layers"]) == [pytest.approx(row["speedup"], abs=0.0051)]
        assert abs(row["speedup"] - jump) < 0.2
        assert numbers(facts["Score: accuracy"]) == [pytest.approx(100 * row["score"], abs=0.0051)]
        exits = exit_layers(outputs.exit_scores(RULES["energy"]), row["threshold"], "larger")
        negative, positive = page.traces("exits")
        for label, trace in enumerate((negative, positive)):
            assert trace["y"] == np.bincount(exits[outputs.labels == label], minlength=explored.LAYERS).tolist()
        answers = outputs.predicted[np.arange(len(exits)), exits]
        early = (answers != outputs.labels) & (outputs.predicted[:, -1] == outputs.labels)
        assert numbers(facts["Premature (risk)"]) == [pytest.approx(100 * early.mean(), abs=0.0051)]
        (premature,) = [trace for trace in page.traces("outcomes") if trace["series"] == "premature"]
        assert premature["y"] == np.bincount(exits[early], minlength=explored.LAYERS).tolist()
        confusion = page.tab.eval_on_selector_all("#confusion td", "n => n.map(c => c.textContent)")
        assert int(confusion[0]) == ((answers == 0) & (outputs.labels == 0)).sum()


def test_the_slider_moves_with_the_keyboard_and_by_risk(explorer):
    page = explorer("view=operating&task=sst2")
    before = numbers(page.text("#readout"))[0]
    page.tab.focus("#slider")
    page.act(lambda: page.tab.keyboard.press("End"))
    after = numbers(page.text("#readout"))[0]
    assert after > before and page.tab.get_attribute("#slider", "aria-valuetext") == f"Speed-up: {after:.2f}×"
    page.choose("by", "risk")
    page.tab.focus("#slider")
    page.act(lambda: page.tab.keyboard.press("Home"))
    risk = numbers(page.tab.inner_text("[data-fact='Premature (risk)']"))
    assert risk == [0.0]


def test_bars_show_the_steps_needed(explorer, explored_folder):
    page = explorer("view=operating&task=sst2")
    page.choose("stack", "steps")
    traces = page.traces("exits")
    assert [trace["series"] for trace in traces] == ["1 step", "2 steps", "3 steps", "4 steps"]
    rows = read_frame(explored_folder / "resources/rows/sst2.parquet")
    steps = rows[rows["split"] == "dev"]["steps"]
    assert [sum(trace["y"]) for trace in traces] == [int((steps == level).sum()) for level in (1, 2, 3, 4)]


def test_accuracy_and_exits_by_steps_are_those_of_the_frame(explorer, explored_folder):
    page = explorer("view=operating&task=sst2&seed=1&at=2")
    outputs = load_outputs(explored_folder / "results/runs/bert/sst2/cosee-energy/final/seed1/logits-dev.npz")
    rows = curve(explored_folder, seed=1)
    shown = numbers(page.text("[data-fact=Threshold]"))[0]
    threshold = rows["threshold"][(rows["threshold"] - shown).abs().idxmin()]
    exits = exit_layers(outputs.exit_scores(RULES["energy"]), threshold, "larger")
    frame = frame_by_steps(outputs, exits)
    traces = {trace["part"]: trace for trace in page.traces("steps-accuracy") + page.traces("steps-exits")}
    for part, column in {"here": "accuracy", "premature": "premature", "layers": "mean_exit_layer"}.items():
        assert traces[part]["x"] == frame["steps"].tolist()
        scale = 1 if part == "layers" else 100
        np.testing.assert_allclose(traces[part]["y"], scale * frame[column])
    correlation = rank_correlation(exits, outputs.steps)
    assert numbers(page.text("[data-chart=steps-exits] figcaption")) == [pytest.approx(correlation, abs=0.0051)]


def test_promised_and_realized_risks_are_those_of_the_table(explorer, explored_folder):
    frame = pd.concat([read_frame(file) for file in explored_folder.glob("results/sst2/*_risk.csv")])
    names = {"cosee": explored.NAME, "pabee": "PABEE (patience)"}
    table = risks(frame, names, backbone="bert").set_index(["variant", "loss", "procedure", "level"]).sort_index()
    page = explorer("view=reliability&task=sst2")
    for loss, procedure, level in (("same", "ltt", 0.05), ("harm", "crc", 0.1)):
        page.tab.select_option("select[data-key=loss]", loss)
        page.tab.select_option("select[data-key=procedure]", procedure)
        page.choose("level", str(level))
        cells = page.tab.eval_on_selector_all(
            "#risks tbody tr", "n => n.map(r => [...r.children].map(c => c.textContent))"
        )
        for variant, name in names.items():
            row = table.loc[variant, loss, procedure, level]
            (line,) = [line for line in cells if line[0] == name]
            expected = [row["risk"], row["speedup"], row["score"]]
            assert [numbers(cell)[0] for cell in line[1:4]] == pytest.approx(expected, abs=0.0051)
            assert line[4] == f"{row['num_certified']} of {row['num_seeds']}"
        (drawn,) = [trace for trace in page.traces("risk") if trace["part"] == procedure]
        expected = table.loc["cosee", loss, procedure]
        np.testing.assert_allclose(drawn["x"], 100 * expected.index.to_numpy(), rtol=1e-6)
        np.testing.assert_allclose(drawn["y"], expected["risk"], rtol=1e-5, atol=1e-9)
        (left,) = [trace for trace in page.traces("risk-speedup") if trace["part"] == procedure]
        np.testing.assert_allclose(left["y"], expected["speedup"], rtol=1e-5)
    page.choose("rule", "entropy")
    assert page.tab.locator("#risks").is_visible() and explored.NAME not in page.text("#risks")


def test_the_slider_goes_to_the_points_that_were_certified(explorer, explored_folder):
    page = explorer("view=operating&task=sst2&seed=1")
    page.choose("by", "certified")
    page.choose("procedure", "naive")
    rows = read_frame(explored_folder / "results/sst2/energy_risk.csv")
    rows = rows[(rows["variant"] == "cosee") & (rows["seed"] == 1) & (rows["split"] == "dev")]
    rows = rows[(rows["loss"] == "same") & (rows["procedure"] == "naive")].set_index("level")
    page.tab.focus("#slider")
    page.act(lambda: page.tab.keyboard.press("End"))
    shown = {name: numbers(page.text(f"[data-fact='{name}']")) for name in ("Realized risk", "Speed-up that is left")}
    assert shown["Realized risk"] == [pytest.approx(100 * rows.loc[0.1, "risk"], abs=0.0051)]
    assert shown["Speed-up that is left"] == [pytest.approx(rows.loc[0.1, "speedup"], abs=0.0051)]
    assert numbers(page.text("[data-fact='Speed-up in layers']")) == shown["Speed-up that is left"]
    assert page.text("[data-fact='Promised risk']") == "10 %"
    assert explorer(page.address()).text("main") == page.text("main")


def test_calibration_is_that_of_the_table(explorer, explored_folder):
    frame = read_frame(explored_folder / "results/sst2/energy_calibration.csv")
    table = calibration(frame, {"cosee": explored.NAME}, backbone="bert")
    table = table[table["task"] == "sst2"].set_index(["measure", "target_speedup"])
    page = explorer("view=reliability&task=sst2&target=3")
    cells = page.tab.eval_on_selector_all(
        "#calibrations tbody tr", "n => n.map(r => [...r.children].map(c => c.textContent))"
    )
    (line,) = [line for line in cells if line[0] == explored.NAME]
    measures = {"speedup": 2, "early": 1, "exit_bias": 1, "ece": 1, "ece_last": 1, "nll": 3, "nll_last": 3}
    for cell, (measure, digits) in zip(line[1:], measures.items(), strict=True):
        row = table.loc[measure, 3.0]
        wanted = [row["mean"]] if measure == "speedup" else [row["mean"], row["std"]]
        assert numbers(cell) == pytest.approx(wanted, abs=0.51 * 10**-digits)
    page.choose("measure", "nll")
    (drawn,) = [trace for trace in page.traces("calibration") if trace["series"] == "cosee|energy"]
    np.testing.assert_allclose(drawn["y"], table.loc["nll"]["mean"], rtol=1e-5)
    np.testing.assert_allclose(drawn["x"], table.loc["speedup"]["mean"], rtol=1e-5)


def test_the_examples_of_an_exit_are_one_step_away_and_back(explorer, explored_folder):
    page = explorer("view=operating&task=sst2&at=2&filter=wrong")
    (negative, positive) = page.traces("exits")
    page.act(lambda: page.tab.click("button[data-exit='2']"))
    note, exits = page.text("#example-note"), negative["y"][1] + positive["y"][1]
    assert note.startswith(f"{exits} of {explored.EXAMPLES} examples")
    page.act(lambda: page.tab.go_back())
    assert page.tab.get_attribute("nav a[aria-current]", "data-view") == "operating"


def test_examples_are_chosen_by_the_steps_that_they_need(explorer, explored_folder):
    page = explorer("view=examples&task=sst2")
    page.choose("steps", "3")
    rows = read_frame(explored_folder / "resources/rows/sst2.parquet")
    wanted = rows[(rows["split"] == "dev") & (rows["steps"] == 3)]["idx"]
    shown = page.tab.eval_on_selector_all("#examples tbody th", "n => n.map(c => Number(c.textContent))")
    assert shown == sorted(wanted)
    page.choose("steps", "")
    page.act(lambda: page.tab.click("button[data-sort=steps]"))
    steps = page.tab.eval_on_selector_all("#examples td[data-name=Steps]", "n => n.map(c => Number(c.textContent))")
    assert len(steps) == 50 and steps == sorted(steps)


def test_dis_is_that_of_the_file_for_every_method(explorer, explored_folder):
    page = explorer("view=operating&task=sst2")
    rows = read_frame(explored_folder / "results/sst2/energy_dis.csv")
    for variant in ("cosee", "vanilla"):
        (trace,) = [each for each in page.traces("dis") if each["series"] == f"{variant}|energy"]
        expected = rows[(rows["variant"] == variant) & (rows["split"] == "dev")].groupby("layer")["dis"].mean()
        np.testing.assert_allclose(trace["y"], expected, rtol=1e-5)


def test_examples_are_filtered_and_sorted(explorer, explored_folder):
    page = explorer("view=examples&task=sst2&seed=0&at=2")
    outputs = load_outputs(explored_folder / "results/runs/bert/sst2/cosee-energy/final/seed0/logits-dev.npz")
    wrong = outputs.idx[(outputs.predicted != outputs.labels[:, None]).all(axis=1)]
    page.choose("filter", "wrong")
    shown = page.tab.eval_on_selector_all("#examples tbody th", "n => n.map(c => Number(c.textContent))")
    assert shown == sorted(wrong.tolist())
    page.choose("filter", "all")
    page.choose("exit", "2")
    exits = page.tab.eval_on_selector_all("#examples tbody tr", "n => n.map(r => r.children[2].textContent)")
    assert exits and set(exits) == {"2"}
    assert page.text("#example-note").startswith(f"{len(exits)} of {explored.EXAMPLES} examples")
    page.act(lambda: page.tab.click("button[data-sort=confidence]"))
    page.act(lambda: page.tab.click("button[data-sort=confidence]"))
    sure = page.tab.eval_on_selector_all("#examples tbody tr", "n => n.map(r => parseFloat(r.children[5].textContent))")
    assert sure == sorted(sure, reverse=True)
    page.act(lambda: page.tab.fill("input[data-key=q]", "TEXT 1"))
    assert all("text 1" in text for text in page.tab.locator("#examples .text").all_inner_texts())


def test_training_is_drawn_by_seed_with_the_range_of_the_thresholds(explorer):
    page = explorer("view=training&task=sst2&rule=energy")
    seeds = [trace["seed"] for trace in page.traces("loss") if trace["series"] == "cosee|energy"]
    assert seeds == [0, 1, 2]
    high = [trace for trace in page.traces("thresholds") if trace["part"] == "high"]
    assert high[0]["y"][-1] == pytest.approx(0.5)


def test_a_claim_leads_to_the_view_that_shows_it(explorer):
    page = explorer("view=claims")
    page.act(lambda: page.tab.click("main a:text-is('show')"))
    assert page.tab.get_attribute("nav a[aria-current]", "data-view") == "operating"
    assert page.tab.input_value("select[data-key=task]") == "sst2"


def test_a_shared_address_gives_the_same_view(explorer):
    page = explorer("view=tradeoff&task=sst2")
    page.choose("task", "mrpc")
    page.choose("scale", "log")
    page.choose("ref", "vanilla|energy")
    page.act(lambda: page.tab.check("input[data-key=oracle]"))
    page.act(lambda: page.tab.click("nav a[data-view=operating]"))
    page.choose("seed", "2")
    page.tab.focus("#slider")
    page.act(lambda: page.tab.keyboard.press("ArrowRight"))
    for view in ("tradeoff", "examples", "reliability", "operating"):
        page.act(lambda view=view: page.tab.click(f"nav a[data-view={view}]"))
        other = explorer(page.address())
        assert other.text("main") == page.text("main")
        if view != "examples":
            chart = {"operating": "exits", "reliability": "calibration"}.get(view, view)
            assert other.traces(chart) == page.traces(chart)


def test_an_address_with_unknown_values_shows_what_there_is(explorer):
    page = explorer("view=nowhere&task=wnli&backbone=x&rule=y&axis=z&target=9&ref=none&hide=nobody&upto=99")
    assert page.complaints == [] and len(page.traces("tradeoff")) > 3
    page.open("view=examples&filter=x&exit=77&page=1000&sort=y&at=abc")
    assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_as_dark_as_the_reader_wants_it(explorer, scheme):
    page = explorer("view=tradeoff", color_scheme=scheme)
    ground = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    assert (sum(page.tab.evaluate(ground)) < 380) == (scheme == "dark")
    page.act(lambda: page.tab.click("#theme"))
    assert (sum(page.tab.evaluate(ground)) < 380) == (scheme == "light")
    assert "theme=" in page.address()


def test_every_control_is_reached_by_keyboard_and_has_a_name(explorer):
    page = explorer("view=tradeoff&task=sst2")
    nameless = """nodes => nodes.filter(node => !(node.labels?.length || node.getAttribute("aria-label") ||
        node.textContent.trim())).map(node => node.outerHTML)"""
    assert page.tab.eval_on_selector_all("main select, main input, main button, nav a", nameless) == []
    page.tab.keyboard.press("Tab")
    assert page.tab.evaluate("document.activeElement.id") == "skip"
    page.tab.keyboard.press("Enter")
    assert page.tab.evaluate("document.activeElement.id") == "main"
    page.tab.keyboard.press("Tab")
    assert page.tab.evaluate("document.activeElement.dataset.key") == "task"


def test_the_page_of_a_workflow_opens_after_its_rule_has_made_it(built, chromium):
    tab = chromium.new_page()
    complaints = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    for view in VIEWS:
        tab.goto("about:blank")
        tab.goto(f"{(built / 'results/explorer.html').as_uri()}#view={view}")
        tab.wait_for_selector("html[data-drawn]", state="attached", timeout=60_000)
    assert complaints == [] and (built / "results/explorer.html").stat().st_size < 8e6
    tab.close()
