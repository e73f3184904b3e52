"""Measure the review page in headless Chromium while 17 reviewers work at once; take the images of README.

    python benchmarks/review_page.py --work work [--images docs]     # a build; needs pip install '.[browser]' and chromium

Plans a review of 340 items in a temporary folder, serves it, and lets fifteen reviewers decide by HTTP, one verdict every two
seconds each, while two use the page: slices, window, zoom, accept, correct, remove, undo, next item. An action lasts from the
key to the first frame that shows its effect; of a verdict that is the next item, with the verdict on the disk. Prints and
writes benchmarks/results/review_page.json: milliseconds, and how many addresses other than the server's were asked for.
"""

import argparse
import csv
import io
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import notojp_matplotlib
from PIL import Image
from playwright.sync_api import Page, sync_playwright

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

from common import write_result  # noqa: E402

from dataset_builders.review.decisions import read_decisions  # noqa: E402

PORT = 8499
ADDRESS = f"http://127.0.0.1:{PORT}"
ITEMS, REVIEWERS, ON_THE_PAGE, PAUSE = 340, 17, 2, 2.0
ROUNDS = 8  # of each action and reviewer
SIZE = {"width": 1200, "height": 720}
ACT = Path(__file__).with_name("press_key.js").read_text(encoding="utf-8")


def main() -> None:
    """Parse the arguments, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="work folder of a build; nothing is written there")
    parser.add_argument("--images", type=Path, help="folder for the images of README")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        review = Path(folder) / "review"
        command = [sys.executable, "-m", "dataset_builders", "review"]
        where = ["--work", str(arguments.work), "--folder", str(review)]
        subprocess.run([*command, "plan", *where, "--items", str(ITEMS), "--without-hospital"], check=True, cwd=REPO)
        server = subprocess.Popen([*command, *where, "--port", str(PORT)], cwd=REPO)
        try:
            _wait()
            figures = _measure(review, arguments.images)
        finally:
            server.terminate()
            server.wait()
    path = write_result("review_page", figures, ("fastapi", "uvicorn", "playwright"))
    print(f"\n{'action':<12}{'times':>6}{'median ms':>11}{'most ms':>9}")
    for action, one in figures["actions"].items():
        print(f"{action:<12}{one['times']:>6}{one['median_ms']:>11.0f}{one['most_ms']:>9.0f}")
    print(f"{figures['verdicts']} verdicts, {figures['requests_elsewhere']} requests to other hosts; {path.relative_to(REPO)}")


def _wait() -> None:
    for _ in range(300):
        try:
            httpx.get(ADDRESS)
            return
        except (httpx.HTTPError, urllib.error.URLError):
            time.sleep(0.2)
    raise RuntimeError("the server does not answer")


def _measure(review: Path, images: Path | None) -> dict[str, Any]:
    with (review / "tokens.csv").open(encoding="utf-8") as file:
        tokens = {row["pseudonym"]: row["token"] for row in csv.DictReader(file)}
    names = sorted(tokens)
    stop = threading.Event()
    others = [threading.Thread(target=_decide, args=(tokens[name], stop)) for name in names[ON_THE_PAGE:]]
    times: dict[str, list[float]] = defaultdict(list)
    asked: list[str] = []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as fonts:
        _link_font(Path(fonts))
        program = os.environ.get("SPINEMED_CHROMIUM") or shutil.which("chromium")
        environment = {**os.environ, "XDG_DATA_HOME": fonts}
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"], env=environment)
        for thread in others:
            thread.start()
        pages = []
        for name in names[:ON_THE_PAGE]:
            page = browser.new_context(viewport=SIZE, locale="en-GB").new_page()
            page.on("request", lambda request: asked.append(request.url))
            page.goto(f"{ADDRESS}/#token={tokens[name]}")
            page.wait_for_selector("#desk:not([hidden])")
            pages.append(page)
        try:
            if images:
                _take_images(pages[0], images)
            for _ in range(ROUNDS):
                for page in pages:
                    _use(page, times)
        finally:
            stop.set()
            for thread in others:
                thread.join()
            browser.close()
    elsewhere = [address for address in asked if not address.startswith((ADDRESS, "blob:"))]
    return {
        "items": ITEMS,
        "reviewers": REVIEWERS,
        "verdicts": len(read_decisions(review / "decisions.jsonl")),
        "requests": len(asked),
        "requests_elsewhere": len(elsewhere),
        "actions": {
            action: {"times": len(found), "median_ms": round(statistics.median(found), 1), "most_ms": round(max(found), 1)}
            for action, found in times.items()
        },
    }


def _use(page: Page, times: dict[str, list[float]]) -> None:
    """Do each action once."""

    def act(action: str, key: str, watched: str, shift: bool = False) -> None:
        times[action].append(page.evaluate(ACT, [key, shift, watched]))

    page.wait_for_timeout(random.uniform(300, 600))  # a reviewer looks at what is there before the next key
    if page.locator("#images").is_visible():
        if page.inner_text(".panel .label").split("/")[1].split()[0] != "1":
            back = page.inner_text(".panel .label").split("/")[0] != "1"
            act("slice", "ArrowUp" if back else "ArrowDown", "slice")
        act("window", "ArrowUp", ".panel .state", shift=True)
        act("zoom", "+", ".panel .state")
    act("accept", "a", "item")
    act("undo", "u", "item")
    act("next item", "n", "item")
    page.keyboard.press("c")
    area = page.locator("#fields textarea").last
    area.fill(f"{area.input_value()} Corrected.")
    page.keyboard.press("Control+Enter")
    page.keyboard.press("5")
    act("correct", "Enter", "item")
    page.keyboard.press("r")
    page.keyboard.press("1")
    act("remove", "Enter", "item")


def _decide(token: str, stop: threading.Event) -> None:
    """Accept, correct or remove one item after the other, as the page would send it."""
    with httpx.Client(base_url=ADDRESS, timeout=30) as client:
        client.post("/api/login", json={"token": token}).raise_for_status()
        while not stop.wait(random.uniform(0.5, 1.5) * PAUSE):
            tasks = [task for task in client.get("/api/session").json()["tasks"] if not task["verdict"]]
            if not tasks:
                return
            item = client.get(f"/api/items/{tasks[0]['item']}").json()
            verdict = random.choice(("accept", "accept", "remove"))
            body = {
                "key": f"{random.getrandbits(128):032x}", "item": item["id"], "item_sha256": item["sha256"],
                "stage": item["stage"], "verdict": verdict, "reasons": [] if verdict == "accept" else ["wrong_key"],
            }  # fmt: skip
            client.post("/api/decisions", json=body).raise_for_status()


def _take_images(page: Page, folder: Path) -> None:
    """Save what README shows: an item with its image, a correction of a quoted passage, the reasons in Chinese."""
    folder.mkdir(parents=True, exist_ok=True)
    _find(page, lambda: page.locator("#images").is_visible() and not re.search("[一-鿿]", page.inner_text("#fields")))
    page.keyboard.press("p")
    page.wait_for_timeout(800)
    _save(page, folder / "review_image.png")
    page.keyboard.press("p")
    page.keyboard.press("p")
    _find(page, lambda: page.locator("mark").count() > 0 and not page.locator("#images").is_visible())
    page.keyboard.press("c")
    _save(page, folder / "review_correction.png")
    page.keyboard.press("Escape")
    page.click("#language")
    page.keyboard.press("r")
    page.keyboard.press("3")
    _save(page, folder / "review_reasons.png")
    page.keyboard.press("Escape")
    page.click("#language")


def _find(page: Page, wanted: Any) -> None:
    """Go on to the next item that is as wanted, if there is one."""
    for _ in range(40):
        page.wait_for_timeout(150)
        if wanted():
            return
        page.keyboard.press("n")
        page.wait_for_timeout(100)
        if not page.locator("#desk").is_visible():
            page.keyboard.press("b")
            return


def _save(page: Page, path: Path) -> None:
    """Save the window with few colours: a small file."""
    with Image.open(io.BytesIO(page.screenshot())) as image:
        image.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


def _link_font(folder: Path) -> None:
    """Put a font with Chinese glyphs where the browser looks."""
    (folder / "fonts").mkdir()
    for font in Path(notojp_matplotlib.__file__).parent.rglob("*.[ot]t[fc]"):
        (folder / "fonts" / font.name).symlink_to(font)


if __name__ == "__main__":
    main()
