"""Size, opening time and response of pages of the explorer: `python -m tests.browser PAGE...`.

Times are those of Chromium without a window on this machine: from the navigation until a view is drawn and painted, and
from a change of a control until the view is drawn and painted again. Beside the time on the clock stands the time for
which the page's main thread had a processor: on a machine that does other things the former says little, and the latter
what it would be without them.
"""

import argparse
import os
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest does

from browser.conftest import CHROMIUM

VIEWS = ("tradeoff", "operating", "examples", "reliability", "training", "claims", "provenance")
DRAWN = "html[data-drawn]"

OPENED = """
new MutationObserver((_, observer) => {
  if (!document.documentElement?.dataset.drawn) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => (window.opened = performance.now())));
}).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-drawn"] });
"""
"""Notes the moment, in milliseconds since the navigation, at which the first drawing is painted."""

CHANGED = """async ([selector, values]) => {
  const field = document.querySelector(selector);
  if (!field || field.disabled) return [];
  const taken = [];
  for (const value of values) {
    const start = performance.now();
    if (field.type === "checkbox") field.click();
    else if (value === null) field.click();
    else {
      field.value = value;
      field.dispatchEvent(new Event(field.type === "range" || field.type === "search" ? "input" : "change"));
    }
    const before = document.documentElement.dataset.drawn;
    while (document.documentElement.dataset.drawn === before) await new Promise(requestAnimationFrame);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    taken.push(performance.now() - start);
  }
  return taken;
}"""
"""Sets a field to values, or clicks it, one after the other, and gives the milliseconds that each took."""

CHANGES = {
    "trade-off: axis": ("tradeoff", "select[data-key=axis]", ["flops", "layers"] * 5),
    "trade-off: method shown or hidden": ("tradeoff", ".methods input", [None] * 10),
    "trade-off: reference": ("tradeoff", "#equal-cost ~ .controls select[data-key=target]", ["1.5", "2", "3"] * 3),
    "operating point: slider": ("operating", "#slider", [str(20 + 4 * step) for step in range(20)]),
    "examples: slider": ("examples", "#slider", [str(20 + 4 * step) for step in range(20)]),
    "examples: filter": ("examples", "select[data-key=filter]", ["wrong", "late", "all"] * 3),
    "risk and calibration: measure": ("reliability", "select[data-key=measure]", ["nll", "exit_bias", "ece"] * 3),
}
"""What is timed -> view, field, values."""


def main() -> None:
    """Measure the pages that are named, and print a table of each."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser("python -m tests.browser", description=__doc__.partition("\n\n")[0])
    parser.add_argument("pages", type=Path, nargs="+", metavar="PAGE")
    parser.add_argument("--times", type=int, default=3, metavar="N", help="openings of each view (default: 3)")
    args = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for page in args.pages:
            load, cores = os.getloadavg()[0], os.cpu_count()
            print(f"{page}: {page.stat().st_size / 1e6:.1f} MB; load {load:.1f} on {cores} cores before the start")
            for view in VIEWS:
                taken = [opened(browser, page, view) for _ in range(args.times)]
                print(row(f"open: {view}", *zip(*taken, strict=True)), flush=True)
            for name, (view, field, values) in CHANGES.items():
                print(row(name, *changed(browser, page, view, field, values)), flush=True)
        browser.close()


def opened(browser, page, view):
    """Milliseconds until a view is painted, in a browser that has not seen the page; on the clock and of the thread."""
    tab = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    busy = thread_time(tab)
    tab.add_init_script(OPENED)
    before = busy()
    show(tab, page, view)
    tab.wait_for_timeout(100)
    after, taken = busy(), tab.evaluate("window.opened")
    tab.context.close()
    return taken, after - before


def changed(browser, page, view, field, values):
    """Milliseconds that each change of a field takes; on the clock one by one, of the thread their mean."""
    tab = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    show(tab, page, view)
    tab.wait_for_timeout(500)
    busy = thread_time(tab)
    before = busy()
    taken = tab.evaluate(CHANGED, [field, values])
    spent = busy() - before
    tab.context.close()
    return taken, [spent / max(len(taken), 1)]


def show(tab, page, view):
    """Open a view, and wait until it is drawn."""
    tab.goto(f"{page.resolve().as_uri()}#view={view}")
    tab.wait_for_selector(DRAWN, state="attached", timeout=120_000)


def thread_time(tab):
    """A function that gives the milliseconds for which the main thread of a tab has been at work."""
    session = tab.context.new_cdp_session(tab)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def milliseconds():
        metrics = session.send("Performance.getMetrics")["metrics"]
        return 1000 * next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")

    return milliseconds


def row(name, clock, thread):
    """A line of the table: fastest, median and slowest on the clock, median of the thread; milliseconds."""
    if not clock:
        return f"{name:34} –"
    middle, own = statistics.median(clock), statistics.median(thread)
    return f"{name:34} {min(clock):6.0f} {middle:6.0f} {max(clock):6.0f} ms, thread {own:6.0f} ms (n = {len(clock)})"


if __name__ == "__main__":
    main()
