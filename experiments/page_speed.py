"""How fast the static page is in a headless Chromium without a graphics card: seconds until it can be used, frames per
second and share of real time while the robot walks, and seconds that the language model takes for a sentence.

    make web && python experiments/page_speed.py
"""

import contextlib
import functools
import http.server
import json
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

BUILT = Path(__file__).parents[1] / "web" / "dist"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WALK_SECONDS, PATIENCE = 15, 120_000  # s, ms
SENTENCES = ("walk forward 2 metres, then turn left 90 degrees", "turn around and run for ten seconds")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args): ...


def main() -> None:
    with chromium() as (page, address):
        started = time.perf_counter()
        page.goto(address)
        page.locator("#shove:enabled").wait_for()
        found: dict[str, float | list[float]] = {}
        found["seconds until it can be used"] = round(time.perf_counter() - started, 2)
        found |= walk(page)
        if page.get_by_role("button", name="Load the language model").is_visible():
            page.get_by_role("button", name="Load the language model").click()
            page.get_by_text("The language model is loaded").wait_for()
            found["seconds for a sentence"] = [round(read(page, text), 2) for text in SENTENCES]
        print(json.dumps(found, indent=2))


@contextlib.contextmanager
def chromium() -> Generator[tuple[Page, str]]:
    """An empty page, and the address of the built page on a server of this process. Exits if page or browser is
    missing.
    """
    if not (BUILT / "agents.json").is_file() or CHROMIUM is None:
        sys.exit("the page is not built, or there is no Chromium: make web, apt-get install chromium")
    handler = functools.partial(Quiet, directory=str(BUILT))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE)
        yield page, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def walk(page: Page) -> dict[str, float]:
    """Medians of what the page reports every second while the robot walks."""
    page.get_by_label("Or write a program").fill("walk forward")
    page.get_by_label("Or write a program").press("Enter")
    reports = []
    for _ in range(WALK_SECONDS):
        page.wait_for_timeout(1000)
        reports.append(page.evaluate("({...document.querySelector('#picture').dataset})"))
    medians = {name: statistics.median(float(each[name]) for each in reports) for name in ("frames", "pace")}
    return {"frames per second": round(medians["frames"], 1), "share of real time": round(medians["pace"], 3)}


def read(page: Page, sentence: str) -> float:
    """Seconds from the Enter key to the program."""
    page.get_by_label("Or write a program").fill("stand")
    page.get_by_label("Or write a program").press("Enter")
    page.get_by_label("Instruction").fill(sentence)
    started = time.perf_counter()
    page.get_by_label("Instruction").press("Enter")
    page.locator("#program li").nth(1).wait_for()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
