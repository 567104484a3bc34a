"""The page as a visitor sees it, in a headless Chromium that draws without a graphics card."""

import os
import shutil
import socket
import subprocess
import sys
from contextlib import closing, contextmanager

import av
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import ROOT
from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ,
    reason="no Chromium to look at the page with: apt-get install chromium",
)
FORWARD, LEFT, TURNING = range(3)
PATIENCE = 120_000  # ms; what is measured is simulated time
expect.set_options(timeout=PATIENCE)

# Keeps each moment that the page shows, each goal that it marks and each notice: on a busy machine, who looks only now
# and then misses some of them.
RECORDER = """() => {
    const find = (selector) => document.querySelector(selector);
    const cells = (kind) => [...document.querySelectorAll(`#live td.${kind}`)];
    const numbers = (kind) => cells(kind).map((cell) => Number(cell.textContent));
    const picture = find("#live .picture");
    [window.moments, window.goals, window.notices] = [[], [], []];
    new MutationObserver(() => {
        const [asked, measured] = [numbers("asked"), numbers("measured")];
        moments.push({ seconds: Number(picture.dataset.seconds), asked, measured });
    }).observe(picture, { attributes: true, attributeFilter: ["data-seconds"] });
    const keep = (texts, element, text) => new MutationObserver(() => {
        if (text() !== texts.at(-1)) texts.push(text());
    }).observe(element, { attributes: true, characterData: true, childList: true, subtree: true });
    keep(goals, find("#program"), () => find("#program [aria-current=step]")?.textContent ?? "none");
    keep(notices, find("#notice"), () => find("#notice").textContent.trim());
}"""


@contextmanager
def serving(folder=ROOT, *flags: str):
    """The address of app.py in `folder`, run as a user does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "app.py", "--port", str(port), *flags]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout and f"http://127.0.0.1:{port}" in process.stdout.readline()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def address():
    with serving(ROOT, "--visitors", "2") as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def visit(browser, address: str, width: int = 1280) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.locator("#notice p:not(:empty)").wait_for()
    page.evaluate(RECORDER)
    return page


@pytest.fixture(scope="module")
def shared_page(browser, address):
    page = visit(browser, address)
    yield page
    page.close()


@pytest.fixture
def page(shared_page):
    """A page whose robot stands."""
    shared_page.set_viewport_size({"width": 1280, "height": 900})
    shared_page.get_by_label("normal").first.check()  # of the speeds
    shared_page.get_by_role("button", name="stand").click()
    expect(goal_in_force(shared_page)).to_have_text("stand")
    shared_page.wait_for_function("document.querySelector('#live .measured:not(caption *)').textContent < 0.1")
    return shared_page


def record_anew(page: Page) -> None:
    page.evaluate("moments.length = goals.length = notices.length = 0")


def tell(page: Page, instruction: str) -> None:
    record_anew(page)
    page.get_by_label("Instruction").fill(instruction)
    page.get_by_label("Instruction").press("Enter")


def goal_in_force(page: Page):
    return page.locator("#program [aria-current=step]")


def seconds_until(page: Page, axis: int, speed: float) -> float:
    """Simulated seconds from the latest command along an axis until the body moves at `speed` along it."""
    return page.wait_for_function(
        """([axis, speed]) => {
            const asked = moments.findIndex((each) => each.asked[axis] * speed > 0);
            const met = moments.slice(asked).find((each) => each.measured[axis] / speed > 1);
            return asked >= 0 && met && { seconds: met.seconds - moments[asked].seconds };
        }""",
        arg=[axis, speed],
    ).json_value()["seconds"]


def test_a_port_that_is_taken_is_refused_in_one_line(refusal):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port={port} cannot be used (Address already in use)" in refusal("app", "--port", str(port))


@needs_browser
def test_a_sentence_makes_it_walk_and_another_turns_it_in_mid_walk(page):
    before = page.evaluate("document.querySelector('#live .picture').toDataURL()")
    tell(page, "walk forward")
    assert seconds_until(page, FORWARD, 0.3) < 2
    assert page.evaluate("document.querySelector('#live .picture').toDataURL()") != before
    tell(page, "turn left")
    expect(goal_in_force(page)).to_have_text("turn left")
    assert seconds_until(page, TURNING, 0.3) < 2
    expect(page.locator("#notice")).not_to_contain_text("fell")


@needs_browser
def test_the_goals_of_a_program_come_into_force_one_after_another(page):
    tell(page, "walk forward for 1 second, then turn right for 1 second")
    expect(page.locator("#notice")).to_contain_text("It stands:")
    expect(page.locator("#program .done")).to_have_text(["walk forward 1 second", "turn right 1 second"])
    assert page.evaluate("goals") == ["walk forward 1 second", "turn right 1 second", "none"]


@needs_browser
def test_a_refusal_shows_its_reason_and_what_ran_goes_on(page):
    page.get_by_label("slow").check()
    page.get_by_role("button", name="walk forward").click()
    expect(goal_in_force(page)).to_have_text("walk forward slow")
    tell(page, "jump over the moon")
    expect(page.get_by_role("status").locator(".refused")).to_contain_text("cannot do that")
    expect(goal_in_force(page)).to_have_text("walk forward slow")


@needs_browser
def test_a_place_and_a_posture_are_asked_for_by_buttons(page):
    page.get_by_label("up", exact=True).check()
    page.get_by_label("Place: meters ahead").fill("1")
    page.get_by_label("and to the left").fill("-0.5")
    page.get_by_role("button", name="Go to it").click()
    expect(goal_in_force(page)).to_have_text("go to 1 meter ahead 0.5 meters right, arms up")
    expect(page.locator("#notice")).to_contain_text("all 1 goals met")  # before, it would be at home
    page.get_by_role("button", name="go home").click()
    expect(goal_in_force(page)).to_have_text("go home, arms up")
    page.get_by_label("rest", exact=True).check()


@needs_browser
def test_a_push_is_seen_in_the_curves(page):
    record_anew(page)
    page.get_by_role("slider", name="Push").fill("1")
    page.get_by_role("button", name="Push").click()
    page.wait_for_function("notices.some((text) => /^Pushed .* by 1\\.0 m\\/s\\.$/.test(text))")
    page.wait_for_function("moments.some(({ measured: [ahead, left] }) => Math.hypot(ahead, left) > 0.2)")


@pytest.mark.slow
@needs_browser
def test_25_pictures_a_second_are_shown_while_the_physics_keep_real_time(page):
    tell(page, "run")
    page.wait_for_function(
        """(({ fps, pace }) => fps >= 25 && Math.abs(pace - 1) < 0.05)
            (document.querySelector("#live .picture").dataset)"""
    )


@pytest.mark.slow
@needs_browser
def test_the_clip_is_a_playable_h264_file(browser, address, tmp_path):
    with closing(visit(browser, address)) as page:
        tell(page, "walk forward")
        page.wait_for_function("document.querySelector('#live .picture').dataset.seconds > 2")
        page.get_by_role("button", name="Make a clip").click()
        with page.expect_download() as download:
            page.locator("a[download]").click()
        download.value.save_as(tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert len(frames) > 60 and (frames[0] != frames[-1]).any()


@needs_browser
def test_another_agent_can_be_picked_and_one_that_is_none_says_why(page):
    picker = page.get_by_label("Agent")
    for name, answer in (
        ("no/such_agent", "no/such_agent"),
        ("../elsewhere", "leads elsewhere"),
        ("pretrained/humanoid", "pretrained/humanoid moves it now."),
    ):
        for _ in range(3):  # a notice of the body takes the place of the answer now and then
            picker.fill(name)
            picker.press("Enter")
            page.get_by_role("button", name="Use it").click()
            page.wait_for_timeout(5000)
            if answer in page.locator("#notice").inner_text():
                break
        expect(page.locator("#notice")).to_contain_text(answer)


@pytest.mark.slow
@needs_browser
def test_visitors_stay_apart_and_one_who_leaves_makes_room(page, browser, address):
    tell(page, "walk forward")
    with closing(visit(browser, address)) as other, closing(visit(browser, address)) as third:
        expect(third.locator("#notice")).to_contain_text("2 robots are moving, which is all there is room for")
        expect(goal_in_force(other)).to_have_text("stand")
        tell(other, "turn right")
        assert seconds_until(other, TURNING, -0.3) < 2
        expect(goal_in_force(page)).to_have_text("walk forward")
        assert seconds_until(page, FORWARD, 0.3) < 2

        other.close()
        for _ in range(10):
            page.wait_for_timeout(500)
            third.reload()
            third.locator("#notice p:not(:empty)").wait_for()
            if not third.locator("#notice .refused").count():
                break
        expect(goal_in_force(third)).to_have_text("stand")


@needs_browser
@pytest.mark.parametrize("width", [1280, 400])
def test_everything_is_labelled_and_fits(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    found = Axe().run(page).response["violations"]
    assert not [(each["id"], each["nodes"]) for each in found if each["impact"] in ("serious", "critical")]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@needs_browser
def test_the_keyboard_is_enough(page):
    for _ in range(10):  # on a busy machine the page is drawn before it listens to keys
        page.get_by_label("Instruction").focus()
        page.keyboard.press("Control+A")
        page.keyboard.type("walk forward")
        page.keyboard.press("Enter")
        page.wait_for_timeout(3000)
        if "walk forward" in goal_in_force(page).inner_text():
            break
    expect(goal_in_force(page)).to_have_text("walk forward")
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("(document.activeElement.labels?.[0] ?? document.activeElement).innerText.trim()")
        )
        if reached[-1] == "turn left":
            page.keyboard.press("Space")
    expect(goal_in_force(page)).to_have_text("turn left")
    assert {"Do it", "stand", "Push", "Use it", "Make a clip of the last 10 seconds"} <= set(reached)
