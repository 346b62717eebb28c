"""The explorer in JupyterLab, in a headless browser: as a widget, and as pictures where no widget is shown."""

import json
import os
import secrets
import subprocess
import sys
import time

import nbformat
import pytest

from tests.browser import Browser, needs_chromium

pytestmark = [needs_chromium, pytest.mark.slow]
CELL = """\
import geomgan as gg, numpy as np
gg.explore(gg.load("digits-dcgan"), gg.distances.mse(), np.linspace(-1, 1, 64), sliders=2)
"""
ASKS = "@jupyterlab/apputils-extension:announcements"  # whether it may fetch news
READY = "document.querySelector('.gx')?.dataset.ready === 'true' && document.querySelectorAll('.gx-sliders li').length"
PICTURE = "document.querySelector('.gx canvas').toDataURL()"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a notebook, and what says which of JupyterLab's extensions are off."""
    for name in ("jupyterlab", "anywidget"):
        pytest.importorskip(name, reason="pip install 'geomgan[test]' to run this")
    home = tmp_path_factory.mktemp("lab")
    cells, kernel = [nbformat.v4.new_code_cell(CELL)], {"kernelspec": {"name": "python3", "display_name": "Python"}}
    (home / "notebooks").mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), home / "notebooks" / "explore.ipynb")
    config = home / "config" / "labconfig" / "page_config.json"
    config.parent.mkdir(parents=True)
    token = secrets.token_hex(16)
    places = {f"JUPYTER_{name.upper()}_DIR": str(home / name) for name in ("config", "data", "runtime")}
    environment = os.environ | places | {"IPYTHONDIR": str(home / "ipython"), "JUPYTER_TOKEN": token}
    options = [
        "--no-browser",
        "--ip=127.0.0.1",
        "--port=0",
        f"--ServerApp.root_dir={home / 'notebooks'}",
        "--allow-root",
    ]
    log, command = home / "log", [sys.executable, "-m", "jupyterlab", *options]
    with log.open("w") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as server:
        try:
            deadline = time.monotonic() + 60
            while not (found := list((home / "runtime").glob("jpserver-*.json"))):
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            url = json.loads(found[0].read_text())["url"]
            yield (
                f"{url}lab/tree/explore.ipynb?reset&token={token}",
                lambda *off: config.write_text(json.dumps({"disabledExtensions": dict.fromkeys([ASKS, *off], True)})),
            )
        finally:
            server.terminate()  # and its kernels


def run_the_cell(browser, address):
    browser.open(address)
    browser.until("document.querySelector('.jp-Notebook-ExecutionIndicator[data-status=idle]')", 60)
    deadline = time.monotonic() + 60
    while browser.run("document.querySelector('.jp-InputPrompt').textContent") == "[ ]:":  # until its kernel listens
        assert time.monotonic() < deadline, "the cell does not run"
        browser.click("[data-command='notebook:run-cell-and-select-next']")
        time.sleep(1)


def test_a_hand_moves_and_undoes_in_a_notebook(lab, tmp_path):
    address, switch = lab
    switch()
    with Browser(tmp_path) as browser:
        run_the_cell(browser, address)
        browser.until(READY, 120)
        browser.until("[...document.querySelectorAll('.gx canvas')].every((one) => one.width === 32)")
        start = browser.run(PICTURE)
        browser.run("document.querySelector('.gx-sliders input').focus()")
        browser.press("End")
        browser.until(f"{PICTURE} !== {json.dumps(start)}")
        browser.until("document.querySelector('.gx-history li:last-child')?.textContent === 'moved axis 1'")
        browser.press("u")
        browser.until(f"{PICTURE} === {json.dumps(start)}")
        browser.press("r")  # would make the cell a raw one, were the key the notebook's
        browser.until(f"{PICTURE} !== {json.dumps(start)}")
        browser.click(".gx canvas")
        browser.press("n")
        browser.until("document.querySelector('.gx-history li:last-child').textContent === 'new code 1'")
        assert browser.run("document.querySelectorAll('.jp-CodeCell .gx').length") == 1
        assert browser.run("document.querySelector('.gx-static').offsetHeight") == 0
        assert not [event for event in browser.events if event["method"] == "Runtime.exceptionThrown"]


@pytest.mark.parametrize("missing", ["@jupyter-widgets/jupyterlab-manager", "anywidget"])
def test_a_notebook_without_widgets_shows_pictures(lab, tmp_path, missing):
    address, switch = lab
    switch(missing)
    with Browser(tmp_path) as browser:
        run_the_cell(browser, address)
        browser.until("document.querySelectorAll('.gx-static img').length === 21", 60)
        shown = "[...document.querySelectorAll('.gx-static img')].filter((one) => one.naturalWidth === 32 && one.width)"
        assert browser.run(f"{shown}.length") == 21
        assert "geomgan[explore]" in browser.run("document.querySelector('.gx-static p').textContent")
