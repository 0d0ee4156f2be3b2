"""The page for everybody, in a real browser: what axe-core finds, keys alone, less motion, and nothing that
jumps. axe-core comes with the package axe-playwright-python.
"""

from __future__ import annotations

import time
from importlib.resources import files
from pathlib import Path

import pytest

from tests.support.visitor import keep, opened, status_says, upload

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
MOST_SHIFT = 0.1  # what counts as good: web.dev/articles/cls
STOPS = 10  # of the Tab key, at most, from the top of the page to Run
LEAST_TARGET = 24  # pixels: WCAG 2.2, 2.5.8
SHIFTS = """window.shift = 0;
    new PerformanceObserver(list => {
        for (const e of list.getEntries()) if (!e.hadRecentInput) shift += e.value;
    }).observe({type: "layout-shift", buffered: true});"""


def show_example(page: object) -> None:
    page.click("#examples [data-example='0']")
    page.wait_for_selector(".map-tools[data-maps='2']", state="attached")
    page.wait_for_selector("#result img")


def grave(page: object) -> list[str]:
    """What axe-core calls serious or critical: the rule, and where."""
    page.evaluate(AXE)
    page.wait_for_timeout(500)  # colours that change slowly
    found = page.evaluate("axe.run({resultTypes: ['violations']}).then(found => found.violations)")
    return [
        f"{one['id']}: {node['html'][:150]} {node['any'][0]['message'] if node['any'] else ''}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_grave(app: str, desktop, theme: str) -> None:
    """Before anything is done, and with an example in it and all rooms open."""
    page = opened(f"{app}?__theme={theme}", desktop)
    assert grave(page) == []
    show_example(page)
    for room in ("parts", "settings", "map-files"):
        page.click(f"#{room} button")
    page.click("#settings button:has-text('Advanced')")
    page.get_by_label("Letters on the parts").check()
    keep(page, f"10-{theme}")
    assert grave(page) == []
    page.close()


def focused(page: object) -> str:
    return page.evaluate("document.activeElement.id")


def test_run_is_near_and_the_toolbar_is_one_stop(page, tmp_path: Path, face, green_face) -> None:
    """A link at the top leads to Run; the arrows move among the tools, and on a slider change its value."""
    stops = 0
    while focused(page) != "run" and stops < STOPS:
        page.keyboard.press("Tab")
        stops += 1
        if page.evaluate("document.activeElement.getAttribute('href')") == "#run":
            assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
            page.keyboard.press("Enter")
    assert focused(page) == "run"

    upload(page, tmp_path, face, green_face)
    tools = "#map-tools :is(button, input)"
    stop = f"{tools}[tabindex='0']"
    assert page.locator(stop).count() == 1
    page.locator("#map-tools [data-tool=brush]").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.tool") == "eraser"
    assert page.locator(stop).count() == 1
    zoom = page.locator("input[name=zoom]")
    zoom.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("faceMaps.tools.zoom") > 100
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.name") == "letters"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#map-tools') === null")


def test_who_listens_hears_the_end_and_not_each_step(page, tmp_path: Path, face, green_face) -> None:
    upload(page, tmp_path, face, green_face)
    page.get_by_label("Fine", exact=True).check()
    page.evaluate("""() => { window.heard = []; window.said = [];
        const status = document.querySelector("#status [role=status]");
        new MutationObserver(() => {
            const read = status.cloneNode(true);
            for (const silent of read.querySelectorAll("[aria-live=off]")) silent.remove();
            said.push(status.textContent);
            heard.push(read.textContent);
        }).observe(status, {childList: true, subtree: true, characterData: true}); }""")
    page.click("#run")
    status_says(page, "Done in")
    heard, seen = page.evaluate("[heard, said]")
    assert any("Phase" in words for words in seen) and not any("Phase" in words for words in heard)
    assert any("Done in" in words for words in heard)


def test_undo_hands_the_focus_on_when_nothing_is_left_to_undo(page, tmp_path: Path, face, green_face) -> None:
    upload(page, tmp_path, face, green_face)
    page.click(".chip:has-text('Hat')")
    page.locator("#content-map canvas").click(position={"x": 40, "y": 40})
    page.locator("[data-do=undo]").press("Enter")
    page.wait_for_selector("[data-do=undo][disabled]")
    assert page.evaluate("document.activeElement.closest('#map-tools') !== null")
    page.keyboard.press("Enter")  # on Redo, which is next to it
    page.wait_for_selector("[data-do=undo]:not([disabled])")


def test_where_one_types_and_what_opens_is_seen(page) -> None:
    """Number fields have an edge in the light theme; what is folded points down, where it opens to."""
    page.click("#settings button")
    page.wait_for_selector("#set-iterations input")
    edge = "parseFloat(getComputedStyle(document.querySelector('#set-iterations input')).borderTopWidth)"
    assert page.evaluate(edge) >= 1
    page.wait_for_function(  # once it has turned
        """[...document.querySelectorAll("button.label-wrap .icon")].filter(e => e.offsetWidth)
        .every(e => Math.abs(new DOMMatrix(getComputedStyle(e).transform).b) < 0.01)"""  # by no quarter turn
    )


def test_every_target_is_large_enough(page) -> None:
    show_example(page)
    small = page.evaluate(
        """least => [...document.querySelectorAll('#map-tools button, #maps button, .cards button, .tick')]
        .map(e => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
        .filter(([, box]) => box.width && Math.min(box.width, box.height) < least).map(([html]) => html)""",
        LEAST_TARGET,
    )
    assert small == []


def test_the_arrows_move_between_the_answers_of_a_question(page) -> None:
    page.get_by_label("Balanced").focus()
    page.keyboard.press("ArrowRight")
    assert not page.get_by_label("Balanced").is_checked()


def test_who_asked_for_less_motion_sees_none(app: str, browser) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = opened(app, context)
    slow = page.evaluate(
        """[...document.querySelectorAll('*')].map(e => [getComputedStyle(e), e])
        .filter(([s]) => parseFloat(s.transitionDuration) > 0.1 || parseFloat(s.animationDuration) > 0.1)
        .map(([, e]) => e.outerHTML.slice(0, 80))"""
    )
    assert slow == []
    context.close()


def test_nothing_jumps_where_the_page_takes_long(app: str, browser) -> None:
    """One of its scripts comes after seven seconds, as on a slow phone."""
    context = browser.new_context()
    context.add_init_script(SHIFTS)
    page, late = context.new_page(), []

    def answer(route: object) -> None:
        if not late:
            late.append(time.sleep(7))
        route.continue_()

    page.route("**/assets/*.js", answer)
    page.set_default_timeout(90_000)
    page.goto(app)
    page.wait_for_selector("html:not(.settling) #run")
    page.wait_for_timeout(1000)
    assert late and page.evaluate("shift") < MOST_SHIFT
    context.close()


def test_nothing_jumps_on_a_slow_processor(app: str, browser) -> None:
    """An eighth as quick: a single frame may take longer than a quick machine waits for the next part."""
    context = browser.new_context()
    context.add_init_script(SHIFTS)
    page = context.new_page()
    page.set_default_timeout(90_000)
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 8})
    page.goto(app)
    page.wait_for_selector("html:not(.settling) #run")
    page.wait_for_timeout(3000)
    assert page.evaluate("shift") < MOST_SHIFT
    context.close()


@pytest.mark.parametrize("size", [(1280, 900), (390, 844)])
def test_nothing_jumps_while_the_page_loads_or_an_example_comes(app: str, browser, size) -> None:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    context.add_init_script(SHIFTS)
    page = opened(app, context)
    page.wait_for_selector("html:not(.settling)")
    page.wait_for_timeout(1000)
    while_loading = page.evaluate("shift")
    show_example(page)
    page.wait_for_timeout(2000)
    assert while_loading < MOST_SHIFT and page.evaluate("shift") - while_loading < MOST_SHIFT
    context.close()
