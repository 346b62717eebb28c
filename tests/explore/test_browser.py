"""The explorer in a headless browser, from the command line to saved files."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest

import geomgan as gg
from tests.browser import Browser, axe_core, needs_chromium

pytestmark = [needs_chromium, pytest.mark.slow]
FRAMES = "Number(document.getElementById('explorer').dataset.frames ?? 0)"
READY = (
    "document.getElementById('explorer').dataset.ready === 'true' && document.querySelectorAll('.gx-sliders li').length"
)


@pytest.fixture(scope="module")
def address():
    pytest.importorskip("uvicorn", reason="pip install 'geomgan[test]' to run this")
    command = [sys.executable, "-m", "geomgan", "explore", "digits-dcgan", "--distance", "mse", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().split()[1]
        process.terminate()


@pytest.fixture
def browser(tmp_path, address):
    with Browser(tmp_path) as browser:
        browser.open(address)
        browser.until(READY, 120)
        yield browser
        kinds = {event["method"] for event in browser.events}
        assert "Runtime.exceptionThrown" not in kinds
        assert not [e for e in browser.events if e["method"] == "Log.entryAdded"]
        asked = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
        assert all(one.startswith((address, "blob:", "data:")) for one in asked)


def picture(browser, which=0):
    return browser.run(f"document.querySelectorAll('.gx canvas')[{which}].toDataURL()")


def drag(browser, i, share):
    """Put a slider somewhere between its ends, as a hand does: an input event on the way, a change at the end."""
    browser.run(
        f"(() => {{const r = document.querySelectorAll('.gx-sliders input')[{i}]; r.focus();"
        f"r.value = Number(r.min) + {share} * (r.max - r.min); r.dispatchEvent(new Event('input', {{bubbles: true}}));"
        "})()"
    )


def status(browser, text):
    browser.until(f"document.querySelector('[role=status]').textContent.includes({json.dumps(text)})", 60)


def downloaded(browser, ending):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = [path for path in browser.downloads.iterdir() if path.name.endswith(ending) and path.stat().st_size]
        if found:
            return found[0]
        time.sleep(0.05)
    raise TimeoutError(f"no {ending} was downloaded")


def test_a_hand_moves_undoes_names_saves_and_reloads(browser):
    start = picture(browser)
    assert picture(browser, 1) == start
    drag(browser, 0, 0.95)
    browser.until(f"document.querySelectorAll('.gx canvas')[0].toDataURL() !== {json.dumps(start)}")
    browser.until("(document.querySelector('.gx-numbers dd')?.textContent ?? '0.0') !== '0.0'")  # not there at once
    moved = picture(browser)
    assert picture(browser, 1) == start
    browser.until("!document.querySelector('.gx-toolbar button:nth-child(2)').disabled")
    browser.click(".gx-toolbar button:nth-child(2)")
    browser.until(f"document.querySelectorAll('.gx canvas')[0].toDataURL() === {json.dumps(start)}")
    browser.click(".gx-toolbar button:nth-child(3)")
    browser.until(f"document.querySelectorAll('.gx canvas')[0].toDataURL() === {json.dumps(moved)}")

    hostile = "<img src=x onerror='window.hit = 1'>"
    browser.click("input[placeholder]")
    browser.type(hostile)
    browser.click("[aria-labelledby$=keep] .gx-row button:nth-of-type(2)")
    browser.until("document.querySelectorAll('.gx-sliders li').length === 7")
    assert hostile in browser.run("document.querySelector('.gx-sliders li:last-child label').textContent")
    browser.run("[...document.querySelectorAll('[aria-label=Save] button')][0].click()")
    found = gg.directions.load(downloaded(browser, "directions.npz"), gg.load("digits-dcgan"))
    assert found.names[-1] == hostile
    browser.run("[...document.querySelectorAll('[aria-label=Save] button')][1].click()")
    with np.load(downloaded(browser, "codes.npz")) as saved:
        assert saved["codes"].shape == (1, 64)

    browser.reload()
    browser.until(READY, 60)
    browser.until(f"document.querySelectorAll('.gx canvas')[0].toDataURL() === {json.dumps(moved)}")
    assert browser.run("document.querySelectorAll('.gx-sliders li').length") == 7
    assert browser.run("window.hit === undefined && document.images.length === 0")


def test_the_keyboard_is_enough(browser):
    frames = browser.run(FRAMES)
    browser.run("document.querySelector('.gx-toolbar button').focus()")
    for _ in range(8):
        browser.press("Tab")
        if browser.run("document.activeElement.type === 'range'"):
            break
    browser.press("ArrowRight")
    browser.until(f"{FRAMES} > {frames}")
    assert browser.run("document.activeElement.getAttribute('aria-valuetext')").startswith("+")
    for _ in range(60):
        if browser.run("document.activeElement.getAttribute('role') === 'option'"):
            break
        browser.press("Tab")
    sliders = browser.run("document.querySelectorAll('.gx-sliders li').length")
    for _ in range(9):
        browser.press("ArrowRight")
    browser.press("Enter")
    browser.until(f"document.querySelectorAll('.gx-sliders li').length === {sliders + 1}")
    assert browser.run("document.querySelector('.gx-sliders li:last-child label').textContent") == "axis 10"
    assert browser.run("document.activeElement.getAttribute('aria-selected')") == "true"


def test_a_phone_shows_picture_and_slider_together(browser):
    browser.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
    assert browser.run("document.documentElement.scrollWidth") == 360
    browser.run("document.querySelector('.gx-sliders li:last-child').scrollIntoView({block: 'end'})")
    at = "document.querySelector('{}').getBoundingClientRect()"
    assert browser.run(f"{at.format('.gx canvas')}.top >= 0")
    assert browser.run(f"{at.format('.gx-stage')}.bottom <= {at.format('.gx-sliders li:last-child')}.top")
    heights = browser.run("[...document.querySelectorAll('.gx button')].map((b) => b.offsetHeight).filter(Boolean)")
    assert min(heights) >= 24


def test_a_notebook_mounts_the_same_module(browser):
    found = browser.run(
        "import(location.href + 'explore.js').then(({default: widget}) => {"
        "const sent = [], heard = {}, el = document.createElement('div'); document.body.append(el);"
        "const model = {send: (content) => sent.push(content), on: (name, f) => { heard[name] = f; }, off() {}};"
        "const end = widget.render({model, el}); heard['msg:custom']({is: 'said', text: '<i>x</i>'}, []);"
        "const text = el.querySelector('[role=status]').textContent; end(); el.remove(); return [sent, text]; })"
    )
    assert found == [[{"do": "hello"}], "<i>x</i>"]


def test_every_action_has_a_key(browser):
    sliders, focus = "document.querySelectorAll('.gx-sliders li').length", "document.activeElement"
    browser.run(f"{focus}.blur()")  # keys of the page need no focus
    before = browser.run("document.querySelectorAll('.gx-history li').length")
    browser.press("n")
    browser.until(f"document.querySelectorAll('.gx-history li').length === {before + 1}")
    browser.press("k")
    browser.type("here")
    browser.press("Enter")
    browser.until("document.querySelector('.gx-shelf img')?.naturalWidth === 32")
    browser.run(f"{focus}.blur()")
    browser.press("a")
    assert browser.run(f"{focus}.getAttribute('aria-label')") == "Go to here"
    browser.press("2")
    browser.press("ArrowRight")
    browser.until("document.querySelector('.gx-history li:last-child').textContent === 'moved axis 2'")
    browser.press("e")
    browser.type("slant")
    browser.press("Enter")
    browser.until("document.querySelectorAll('.gx-sliders label')[1].textContent === 'slant'")
    browser.press("2")
    count = browser.run(sliders)
    for key, ending in {"d": "directions.npz", "c": "codes.npz", "t": "strip.png", "f": "film.gif"}.items():
        browser.press(key)
        assert downloaded(browser, ending).stat().st_size > 1000
    browser.press("x")
    browser.until(f"{sliders} === {count - 1}")
    assert browser.run(f"{focus}.type") == "range"  # of the next slider
    browser.press("y")
    assert browser.run(f"{focus}.getAttribute('aria-current')") == "step"
    browser.press("u")
    browser.until(f"{sliders} === {count}")
    assert browser.run(f"{focus}.getAttribute('aria-current')") == "step"
    browser.press("?")
    listed = browser.run("[...document.querySelectorAll('.gx-keys kbd')].map((key) => key.textContent)")
    assert {*"nur0phsekxadctfoily?"} <= {*listed}

    browser.call("Page.setInterceptFileChooserDialog", enabled=True)
    for key in ("i", "o"):
        browser.press(key)
        chooser = browser.event("Page.fileChooserOpened")
    codes = str(downloaded(browser, "codes.npz"))
    browser.call("DOM.setFileInputFiles", files=[codes], backendNodeId=chooser["backendNodeId"])
    status(browser, "Sliders start from this code")
    browser.until("document.querySelector('.gx-history li:last-child').textContent.startsWith('opened digits')")


@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_serious(browser, width):
    source = axe_core()
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600)
    drag(browser, 0, 0.9)
    browser.press("p")
    browser.press("k")
    browser.type("one")
    browser.press("Enter")
    browser.until("document.querySelector('.gx-shelf img')?.naturalWidth === 32")
    browser.run("document.querySelectorAll('.gx details').forEach((one) => { one.open = true; })")
    browser.run(source + "; true")
    for scheme in ("light", "dark"):
        media = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}  # colours change at once
        features = [{"name": name, "value": value} for name, value in media.items()]
        browser.call("Emulation.setEmulatedMedia", features=features)
        found = browser.run(
            "axe.run().then(({violations, passes}) => [passes.length, violations.map(({id, impact, nodes}) =>"
            "[impact, id, nodes.map((node) => node.html.slice(0, 120))])])"
        )
        assert found[0] > 20
        assert found[1] == [], scheme
