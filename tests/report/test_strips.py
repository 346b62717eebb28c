"""The walks of a report by hand: equal steps, the pictures themselves, and no server behind the page."""

import base64
import io
import re
from html import unescape

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import geomgan as gg
from geomgan.paths import neighbour_distances
from geomgan.report import TRIPLES, Section
from geomgan.report.moving import Moving
from geomgan.report.page import html_report
from geomgan.report.strip import strip_of
from geomgan.runs.results import read_result
from tests.browser import Browser, axe_core, needs_chromium

NAME = "<i>axis</i> & 'one'"
NAMES = ("spectrum", "axes", "walk", "curves", "trust_radius", "directions")
PLACES = np.linspace(-1, 1, 24)


def waves(A, z):
    """A smooth picture of 24 pixels, whose waves are less and less in the code."""
    x, y = jnp.meshgrid(jnp.asarray(PLACES), jnp.asarray(PLACES))
    shapes = jnp.stack([jnp.sin(2 * x), jnp.cos(3 * y), jnp.sin(4 * x * y), jnp.cos(5 * (x - y))], axis=-1)
    return jnp.tanh(shapes @ (A @ z))[..., None]


@pytest.fixture(scope="module")
def G():
    rng = np.random.default_rng(0)
    A = np.linalg.qr(rng.standard_normal((4, 4)))[0] * np.array([0.4, 0.25, 0.15, 0.1])[:, None]
    return gg.Generator.from_function(waves, jnp.asarray(A, jnp.float32), 4, name="<b>waves</b>")


@pytest.fixture(scope="module")
def made(G, tmp_path_factory):
    out = tmp_path_factory.mktemp("strips")
    few = [triple for triple in TRIPLES if triple.name in NAMES]
    options = {"control": False, "layers": False, "progress": False, "triples": few}
    return gg.report(G, gg.distances.mse(), 2, out=out, key=jax.random.key(1), top=3, **options)


@pytest.fixture(scope="module")
def walked(made):
    return read_result(made.folder / "parts" / "walk.npz", Moving)


def strips_in(page):
    return re.findall(r'<figure class="strip".*?</figure>', page, re.S)


def frames_of(figure):
    """The pictures of a strip ``(T, h, w, 3)``, as its file has them."""
    data = re.search(r'src="data:image/\w+;base64,([^"]*)"', figure)[1]
    row = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
    count = int(re.search(r'data-frames="(\d+)"', figure)[1])
    return np.stack(np.split(row, count, axis=1))


# What is in a strip


def test_the_start_is_a_picture_and_no_walk_leaves_its_reach(walked):
    for walks in walked.walks:
        t = walks.steps[0]
        assert (np.diff(t) > 0).all()
        assert t[0] >= -3
        assert t[-1] <= 3
        assert (t == 0).sum() == 1
    longest = max(len(walks.steps[0]) for walks in walked.walks)
    assert 40 <= longest <= 41


def test_the_steps_are_equal_by_another_measurement(G, made, walked):
    field = gg.MetricField.read(made.folder / "field.zarr")
    for rank, walks in zip(walked.ranks, walked.walks, strict=True):
        v = np.asarray(field.vectors[0])[:, rank - 1]
        codes = (field.codes[0] + walks.steps[0][:, None] * v).astype(np.float32)
        x = np.stack([np.asarray(G(z), np.float64) for z in codes])
        between = np.sqrt(((x[1:] - x[:-1]) ** 2).mean(axis=(1, 2, 3)))
        np.testing.assert_allclose(between, neighbour_distances(G, gg.distances.mse(), codes[None])[0], rtol=1e-2)
        assert between.std() / between.mean() < 0.05
        assert between.mean() == pytest.approx(walked.gap, rel=0.02)
        shown = np.rint(np.clip((x[..., 0] + 1) * 127.5, 0, 255))
        assert np.abs(walks.samples[0][..., 0] - shown).max() <= 1


def test_a_strip_is_lossless_unless_that_is_more_bytes():
    ramp = np.stack([np.full((8, 6, 3), 10 * k, np.uint8) for k in range(9)])
    strip = strip_of(NAME, ramp, 4, 0.25, (-0.5, np.inf))
    assert strip.kind == "image/png"
    assert (strip.frames, strip.size) == (9, (8, 6))
    assert np.array_equal(np.split(np.asarray(Image.open(io.BytesIO(strip.picture))), 9, axis=1), ramp[..., 0])
    rng = np.random.default_rng(0)
    photo = np.clip(128 + 40 * rng.standard_normal((9, 64, 64, 3)), 0, 255).astype(np.uint8)
    lossy = strip_of("photo", photo, 4, 0.25)
    png = io.BytesIO()
    Image.fromarray(np.concatenate(list(photo), axis=1)).save(png, "PNG", optimize=True)
    assert lossy.kind == "image/webp"
    assert len(lossy.picture) < len(png.getvalue()) / 2


def test_without_javascript_a_strip_is_the_row_of_its_pictures(made, walked):
    figures = strips_in(made.page.read_text())
    assert len(figures) == len(walked.walks) == 3
    for figure, walks in zip(figures, walked.walks, strict=True):
        assert np.abs(frames_of(figure).astype(int) - walks.samples[0]).max() <= 12
        alt = re.search(r'alt="([^"]*)"', figure)[1]
        assert f"{len(walks.steps[0])} pictures, each {walked.gap:.2g} further" in alt


def test_names_are_only_names():
    strip = strip_of(NAME, np.zeros((3, 8, 8, 3), np.uint8), 1, 0.5)
    page = html_report("T", "F", [Section("walk", "W", strips=[strip])])
    assert "<i>axis" not in page
    assert unescape(re.search(r"<figcaption>(.*?)</figcaption>", page)[1]) == NAME


def test_the_axes_of_the_page_are_directions_of_the_model(G, made, tmp_path):
    page, field = made.page.read_text(), gg.MetricField.read(made.folder / "field.zarr")
    mean = np.linalg.eigvalsh(np.mean(field.tensors, axis=0))[::-1]
    expected = {"axes-mean.npz": mean, "axes-code0.npz": field.values[0]}
    for name, values in expected.items():
        data = base64.b64decode(re.search(rf'download="{name}" href="data:[\w/-]+;base64,([^"]*)"', page)[1])
        assert data == (made.folder / name).read_bytes()
        (tmp_path / name).write_bytes(data)
        found = gg.directions.load(tmp_path / name, G)
        assert found.names == ("axis 1", "axis 2", "axis 3")
        np.testing.assert_allclose(found.scores["eigenvalue"], values[:3], rtol=1e-4)
    np.testing.assert_allclose(found.vectors, np.asarray(field.vectors[0])[:, :3], atol=1e-6)


# In a browser

FIRST = "document.querySelector('.strip {}')"
RANGE, CANVAS = FIRST.format("input"), FIRST.format("canvas")


@pytest.fixture(scope="module")
def browser(made, tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def opened(browser, made):
    """The page from its file; nothing but that file is asked for, and nothing fails."""
    browser.call("Emulation.clearDeviceMetricsOverride")
    browser.events.clear()
    browser.open(f"file://{made.page}")
    browser.until("[...document.querySelectorAll('.strip')].every((strip) => strip.dataset.ready)")
    yield browser
    asked = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
    assert asked
    assert all(url == f"file://{made.page}" or url.startswith("data:") for url in asked)
    assert not {e["method"] for e in browser.events} & {"Runtime.exceptionThrown", "Log.entryAdded"}


def picture(browser, canvas=CANVAS):
    """Which of the first strip's pictures is shown: that which is nearest to the pixels of the canvas."""
    data = browser.run(f"{canvas}.toDataURL()").partition(",")[2]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"), float)


def shown(browser, made, canvas=CANVAS):
    frames = frames_of(strips_in(made.page.read_text())[0])
    return int(np.abs(frames - picture(browser, canvas)).mean(axis=(1, 2, 3)).argmin())


@needs_chromium
def test_a_hand_moves_through_the_pictures(opened, made, walked):
    t = walked.walks[0].steps[0]
    zero = int(np.flatnonzero(t == 0)[0])
    assert shown(opened, made) == zero
    assert opened.run(f"[Number({RANGE}.min), Number({RANGE}.max)]") == [-zero, len(t) - 1 - zero]
    x, y, width = opened.run(
        f"(() => {{{RANGE}.scrollIntoView({{block: 'center'}}); const r = {RANGE}.getBoundingClientRect();"
        "return [r.x, r.y + r.height / 2, r.width]; })()"
    )
    for kind, at in (("mousePressed", 0.5), ("mouseMoved", 0.7), ("mouseMoved", 1.0), ("mouseReleased", 1.0)):
        at = {"x": x + at * (width - 1), "y": y, "button": "left", "clickCount": 1}
        opened.call("Input.dispatchMouseEvent", type=kind, **at)
    assert shown(opened, made) == len(t) - 1
    said = opened.run(f"{RANGE}.getAttribute('aria-valuetext')")
    assert float(said.split()[0]) == pytest.approx(walked.gap * (len(t) - 1 - zero), rel=0.05)
    assert said.endswith("of distance, beyond the trust radius") == (walked.sides[0, 1] < t[-1])
    opened.call("Emulation.setTouchEmulationEnabled", enabled=True)
    at = {"x": x + 9, "y": y}  # the middle of the thumb at the first end
    opened.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[at])
    opened.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    opened.call("Emulation.setTouchEmulationEnabled", enabled=False)
    opened.until(f"Number({RANGE}.value) === {-zero}", 5)
    assert shown(opened, made) == 0


@needs_chromium
def test_the_keyboard_moves_enlarges_and_leaves(opened, made, walked):
    zero = int(np.flatnonzero(walked.walks[0].steps[0] == 0)[0])
    opened.run("document.querySelector('#walk .plain').focus()")
    opened.press("Tab")
    assert opened.run("document.activeElement.getAttribute('aria-label')") == "Enlarge the picture: axis 1"
    opened.press("Tab")
    assert opened.run("document.activeElement.getAttribute('aria-label')") == "axis 1"
    opened.press("ArrowRight")
    opened.press("ArrowRight")
    assert shown(opened, made) == zero + 2
    text = opened.run("document.activeElement.getAttribute('aria-valuetext')")
    assert float(text.split()[0]) == pytest.approx(2 * walked.gap, rel=0.05)
    opened.press("Home")
    assert shown(opened, made) == 0
    opened.run("document.querySelector('.strip .larger').focus()")
    opened.press("Enter")
    large = "document.querySelector('dialog canvas')"
    opened.until(f"document.querySelector('dialog').open && {large}.clientWidth >= 24 * 20")
    assert opened.run(f"getComputedStyle({large}).imageRendering") == "pixelated"
    assert opened.run(f"{large}.clientWidth % 24 + {large}.clientHeight % 24") == 0  # whole pixels
    opened.press("End")  # the focus is on the slider in the dialog
    assert shown(opened, made, large) == shown(opened, made) == len(walked.walks[0].steps[0]) - 1
    opened.press("Escape")
    opened.until("!document.querySelector('dialog').open")
    assert opened.run("document.activeElement.getAttribute('aria-label')") == "Enlarge the picture: axis 1"
    opened.press("Enter")
    opened.until("document.querySelector('dialog').open")
    opened.click("dialog .plain")
    opened.until("!document.querySelector('dialog').open && !document.querySelector('dialog canvas')")


@needs_chromium
def test_figures_are_enlarged_too_and_nothing_moves_unasked(opened, made):
    opened.click("#axes .larger")
    opened.until("document.querySelector('dialog').open && document.querySelector('dialog img').naturalWidth > 0")
    assert opened.run("document.querySelector('dialog img').width >= document.querySelector('dialog img').naturalWidth")
    opened.run("document.querySelector('dialog').close(); document.querySelector('.strip .larger').click()")
    opened.run("new Promise((done) => setTimeout(done, 50))")  # the browser tells of closing late
    assert opened.run("document.querySelector('dialog canvas') !== null")
    opened.press("Escape")
    opened.until("!document.querySelector('dialog').open")
    before = shown(opened, made)
    opened.click("#walk .plain")
    opened.until(f"Number({RANGE}.value) > 1")
    opened.click("#walk .plain")
    assert opened.run("document.querySelector('#walk .plain').textContent") == "Play all"
    still = opened.run(f"Number({RANGE}.value)")
    assert shown(opened, made) == before + still
    opened.run("new Promise((done) => setTimeout(done, 200))")
    assert opened.run(f"Number({RANGE}.value)") == still


@needs_chromium
def test_the_axes_download_and_load(opened, G):
    opened.click("a[download='axes-code0.npz']")
    file = opened.downloads / "axes-code0.npz"
    for _ in range(100):
        if file.exists() and file.stat().st_size:
            break
        opened.run("new Promise((done) => setTimeout(done, 50))")
    assert len(gg.directions.load(file, G)) == 3


@needs_chromium
def test_a_phone_shows_it_all_without_scrolling_sideways(opened):
    opened.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
    assert opened.run("document.documentElement.scrollWidth") == 360
    targets = "[...document.querySelectorAll('.strip input, .strip button, main > section > .plain')]"
    assert min(opened.run(f"{targets}.map((target) => target.offsetHeight)")) >= 24
    opened.click(".strip .larger")
    opened.until("document.querySelector('dialog').open")
    assert opened.run("document.querySelector('dialog').getBoundingClientRect().right") <= 360
    assert opened.run("document.documentElement.scrollWidth") == 360


@needs_chromium
@pytest.mark.parametrize("enlarged", [False, True])
def test_axe_finds_nothing(opened, enlarged):
    source = axe_core()
    if enlarged:
        opened.click(".strip .larger")
        opened.until("document.querySelector('dialog').open")
    opened.run(source + "; 0")
    told = "[r.passes.length, r.violations.map((v) => [v.impact, v.id, v.nodes.map((node) => node.html)])]"
    passes, broken = opened.run(f"axe.run().then((r) => {told})")
    assert passes > 10
    assert not broken


@needs_chromium
def test_without_javascript_the_rows_scroll(browser, made):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(f"file://{made.page}")
        size = (
            "(({scrollWidth: w, clientWidth: c, clientHeight: h}) => [w, c, h])(document.querySelector('.strip .row'))"
        )
        scrolled, width, height = browser.run(size)
        assert scrolled > width > 500
        assert height >= 64
        assert not browser.run("document.querySelector('.strip input, dialog')")
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
