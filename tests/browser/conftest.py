"""Chromium, driven by Playwright; skipped where there is none."""

import shutil
from dataclasses import replace
from functools import partial

import pytest
from helpers import explored

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRAWN = "html[data-drawn]"


def pytest_collection_modifyitems(items):
    """Mark every test of this folder, and skip it without a browser."""
    here = [item for item in items if "tests/browser/" in str(item.path)]
    for item in here:
        item.add_marker(pytest.mark.browser)
        if CHROMIUM is None:
            item.add_marker(pytest.mark.skip(reason="no Chromium; apt-get install chromium"))


@pytest.fixture(scope="session")
def explored_folder(tmp_path_factory):
    """A workflow's folder with its page in `results/explorer.html`, and two claims on it."""
    from cosee.explorer.claims import claim_rows, read_claims
    from cosee.explorer.from_workflow import workflow_source
    from cosee.explorer.page import page
    from cosee.io import write_text

    folder = explored.write_folder(tmp_path_factory.mktemp("explored"))
    claims = claim_rows(read_claims(explored.write_claims(folder)), here="there")
    source = replace(workflow_source(explored.config(), folder), claims=claims)
    write_text(folder / "results/explorer.html", page(source))
    return folder


@pytest.fixture(scope="session")
def chromium():
    """A browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])  # CI runs as root
        yield browser
        browser.close()


class Explorer:
    """A page in the browser, with what it has complained about and asked for."""

    def __init__(self, tab, file):
        self.tab, self.file = tab, file
        self.complaints, self.requests = [], []
        tab.on("console", lambda message: self.complaints.append(message.text))
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        tab.on("request", lambda request: self.requests.append(request.url))

    def open(self, address):
        """Open the page anew at an address, and wait until it is drawn."""
        self.tab.goto("about:blank")
        self.tab.goto(f"{self.file.as_uri()}#{address}")
        self.tab.wait_for_selector(DRAWN, state="attached")
        return self

    def act(self, action):
        """Do something that changes the state, and wait until the page is drawn again."""
        before = self.drawn()
        action()
        self.tab.wait_for_selector(
            f"html:not([data-drawn='{before}'])", state="attached"
        )  # no eval: the page forbids it

    def drawn(self):
        return self.tab.get_attribute("html", "data-drawn")

    def choose(self, key, value):
        """Choose an option of the selector that is bound to a key of the state."""
        self.act(partial(self.tab.select_option, f"select[data-key={key}]", value))

    def traces(self, chart):
        """What plotly.js draws in a chart: part, series, x and y of every trace."""
        code = """node => node.querySelector('.plot').data.map(trace => (
            {...trace.meta, x: Array.from(trace.x), y: Array.from(trace.y)}))"""
        figure = f"figure[data-chart={chart}]"
        self.tab.locator(figure).scroll_into_view_if_needed()
        self.tab.wait_for_selector(f"{figure}:not([data-stale])", state="attached")  # drawn again only when seen
        return self.tab.eval_on_selector(figure, code)

    def text(self, selector):
        return self.tab.inner_text(selector)

    def address(self):
        """The address, when it has caught up with the state."""
        self.tab.wait_for_timeout(400)
        return self.tab.evaluate("location.hash.slice(1)")


@pytest.fixture
def explorer(chromium, explored_folder):
    """Opens the page in a window of its own: `explorer(address, width=1280, ...)`."""
    windows = []

    def opened(address="", width=1280, **settings):
        windows.append(chromium.new_context(viewport={"width": width, "height": 800}, **settings))
        windows[-1].set_default_timeout(60_000)
        return Explorer(windows[-1].new_page(), explored_folder / "results/explorer.html").open(address)

    yield opened
    for window in windows:
        window.close()
