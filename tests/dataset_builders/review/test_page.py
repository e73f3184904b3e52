"""The review page in a real browser, with a real server behind it."""

import re
import statistics
from typing import ClassVar

import pytest

from dataset_builders.review.decisions import read_decisions
from dataset_builders.review.folder import open_study
from tests.conftest import REPO
from tests.support.browser import ReviewServer, start_chromium
from tests.support.review import HOSTILE, make_study, make_viewed

pytestmark = pytest.mark.slow

ACT = (REPO / "benchmarks" / "press_key.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser():
    playwright, browser = start_chromium()
    yield browser
    browser.close()
    playwright.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory, browser):
    work = tmp_path_factory.mktemp("work")
    _, items, slices = make_viewed(work)
    make_study(work / "review", items, slices=slices, reviewers=3, groups=3, overlap=1)
    server = ReviewServer(work)
    server.start()
    yield server
    server.kill()


class Reviewer:
    """A reviewer's window; every address it asks for is kept in ``asked``."""

    asked: ClassVar[list[str]] = []

    def __init__(self, browser, server, name, item=None):
        self.server = server
        self.context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
        self.page = self.context.new_page()
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.set_default_timeout(30_000)
        self.page.goto(server.address)
        lines = (server.work / "review/tokens.csv").read_text().splitlines()
        self.page.fill("#token", next(line.split(",")[2] for line in lines if line.startswith(name)))
        self.page.click("#enter")
        if item:
            self.open(item)

    @property
    def tasks(self):
        return self.context.request.get(f"{self.server.address}/api/session").json()["tasks"]

    def open(self, item):
        self.page.wait_for_selector("#desk:not([hidden])")
        self.page.click("#overview")
        self.page.locator("#task_list button").nth([task["item"] for task in self.tasks].index(item)).click()
        self.page.wait_for_selector(f"#desk[data-item$=' {item}']")

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def act(self, key, watched, shift=False):
        return self.page.evaluate(ACT, [key, shift, watched])

    def says(self, selector, text):
        self.page.locator(selector).filter(has_text=text).wait_for(state="attached")

    def has_saved(self, count):
        self.says("#count", re.compile(f"^{count} /"))

    def text(self, selector):
        return self.page.inner_text(selector)

    @property
    def count(self):
        return int(self.text("#count").split("/")[0])

    def close(self):
        self.page.click("#logout")
        self.page.wait_for_selector("#login:not([hidden])")
        self.context.close()

    def brightness(self):
        self.page.wait_for_timeout(200)
        return self.page.evaluate(
            """() => { const canvas = document.querySelector('.panel canvas');
            const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            let sum = 0; for (let at = 0; at < data.length; at += 4) sum += data[at]; return sum; }"""
        )


def made(server):
    return read_decisions(server.work / "review/decisions.jsonl")


def raters_of(server, item):
    return open_study(server.work / "review").raters[item]


def test_a_surgeon_scrolls_slices_and_sets_window_zoom_and_panels_by_keys(browser, server):
    window = Reviewer(browser, server, raters_of(server, "shown")[0], "shown")
    assert "2/3" in window.text(".panel .label") and "image of the item" in window.text(".panel .label")
    times = [window.act(key, "slice") for key in ("ArrowDown", "ArrowUp", "ArrowUp")]
    assert "1/3" in window.text(".panel .label")
    dark = window.brightness()
    times += [window.act(key, ".panel .state", shift=True) for key in ("ArrowUp", "ArrowUp", "ArrowRight")]
    assert window.brightness() > dark
    window.press("i", "0", "p", "+")
    assert window.page.locator(".panel").count() == 2
    window.says(".panel.active .state", "×1.3")
    assert window.page.locator("mark").all_inner_texts() == ["The L4 body is wedged "]
    assert statistics.median(times) <= 200
    window.close()


def test_markup_in_an_item_is_shown_as_text(browser, server):
    window = Reviewer(browser, server, raters_of(server, "hostile")[0], "hostile")
    assert HOSTILE in window.text("#fields") and HOSTILE in window.text("#passage")
    window.press("c")
    assert window.page.locator("#fields textarea").first.input_value() == HOSTILE
    assert window.page.title() == "SpineMed review" and window.page.locator("#desk script, #desk img").count() == 0
    window.close()


def test_two_surgeons_review_side_by_side_and_a_third_decides(browser, server):
    """One walk: reload, undo, a token used by two, until nothing is left to do."""
    names = raters_of(server, "report-1")
    one, two = (Reviewer(browser, server, name, "report-1") for name in names)

    # A correction survives a reload before it is saved, needs a reason, and keeps only what changed.
    one.press("c")
    one.page.locator("#fields textarea").nth(1).fill("## Findings\nNone at all.")
    one.page.reload()
    one.open("report-1")
    assert one.page.locator("#fields textarea").nth(1).input_value() == "## Findings\nNone at all."
    one.press("Control+Enter", "Enter")
    one.says("#refusal", "reason")
    one.press("1", "Enter")
    one.has_saved(1)
    correction = made(server)[-1]
    assert (correction.reviewer, correction.verdict, list(correction.corrected)) == (names[0], "correct", ["turns"])

    # The other sees nothing of it, removes, reloads, takes it back, accepts with one key.
    assert one.page.locator("#earlier .earlier").count() == two.page.locator("#earlier .earlier").count() == 0
    two.press("r", "2", "Tab")
    two.page.locator("#comment").fill("not decidable <b>here</b>")
    two.press("Control+Enter")
    two.has_saved(1)
    two.page.reload()
    two.has_saved(1)
    two.press("u")
    two.has_saved(0)
    assert [decision.verdict for decision in made(server)] == ["correct", "remove", "undo"]
    two.open("report-1")
    times = [two.act("a", "#count")]
    assert two.count == 1 and made(server)[-1].verdict == "accept"
    two.page.click("#language")
    assert "通过" in two.text("#accept") and "来源" in two.text("#source h2")
    two.page.click("#language")

    # A token that two use at once is a named error, until one takes over.
    intruder = Reviewer(browser, server, names[0])
    intruder.page.wait_for_selector("#take_over:not([hidden])")
    assert names[0] in intruder.text("#banner")
    intruder.page.click("#take_over")
    intruder.page.wait_for_selector("#desk:not([hidden])")
    one.press("n", "a")
    one.page.wait_for_selector("#login:not([hidden])")
    assert "another window" in one.text("#banner") and len(made(server)) == 4
    one.context.close()

    # Everybody accepts what is left; what two saw differently comes to a third, with both verdicts.
    third = next(name for name in ("R01", "R02", "R03") if name not in names)
    windows = [intruder, two, Reviewer(browser, server, third)]
    for window in windows:
        window.page.reload()
        window.page.wait_for_selector("#verdicts:not([hidden])")
        for task in window.tasks:
            if task["verdict"]:
                continue
            window.open(task["item"])
            if task["stage"] == "adjudication":
                assert window.page.locator(".earlier").count() == 2 and "None" in window.text(".earlier ins")
            times.append(window.act("a", "#count"))
    assert [made_by.reviewer for made_by in made(server) if made_by.stage == "adjudication"] == [third]
    assert all(task["verdict"] for window in windows for task in window.tasks)
    assert statistics.median(times) <= 200
    for window in windows:
        window.close()


def test_nothing_was_asked_of_another_host(server):
    assert len(Reviewer.asked) > 40 and all(address.startswith((server.address, "blob:")) for address in Reviewer.asked)


def test_a_server_that_dies_in_mid_save_loses_nothing_and_writes_nothing_twice(browser, tmp_path):
    _, items, slices = make_viewed(tmp_path)
    make_study(tmp_path / "review", items, slices=slices, reviewers=1, groups=1, overlap=0)
    server = ReviewServer(tmp_path)
    server.start()
    window = Reviewer(browser, server, "R01", "shown")
    try:
        server.freeze()  # it has the connection, and answers no more
        window.press("a")
        window.says("#saved", "saving")
        server.kill()
        window.says("#banner", "Not saved yet")
        assert window.count == 0
        server.start()
        window.has_saved(1)
        assert [decision.verdict for decision in made(server)] == ["accept"]
        window.act("a", "#count")
        assert window.count == 2
    finally:
        server.kill()
        window.context.close()
    assert [decision.number for decision in made(server)] == [1, 2]
