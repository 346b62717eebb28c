"""The examples of the documentation run, in their order, as a reader would type them."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

import geomgan as gg
from geomgan.models.families import NETWORKS
from tests.fixtures import ROOT
from tests.without_torch import REASON

TORCH = find_spec("torch") is not None


def python_blocks(path):
    return re.findall(r"^```python\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)


def test_generators_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict = {}
    written = python_blocks(ROOT / "docs" / "own_generator.md")
    blocks = [block for block in written if TORCH or "torch" not in block]
    shapes, layers = [], []
    for number, block in enumerate(blocks):
        namespace.pop("g", None)
        exec(compile(block, f"own_generator.md, example {number + 1}", "exec"), namespace)
        G = namespace["G"]
        assert isinstance(G, gg.Generator)
        shapes.append(G.sample_shape.shape)
        layers.append(G.layers)
        if "g" in namespace:
            values = np.linalg.eigvalsh(np.asarray(namespace["g"], np.float64))
            assert values[-1] > 0
            assert values[0] > -1e-5 * values[-1]
        assert max(map(len, block.splitlines())) <= 120
    ours, torch = [(16, 16, 3)] * 2 + [(16, 16, 1)] * 2, [(8, 8, 3)] * 2 if TORCH else []
    assert shapes == torch + ours + torch
    assert layers[len(torch)] == ("hidden",)
    assert namespace["field"].values.shape == (4, 8)
    np.testing.assert_allclose(np.linalg.norm(namespace["field"].codes, axis=1), 8**0.5, rtol=1e-6)


@pytest.mark.slow
def test_a_small_model_is_trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict = {}
    for number, block in enumerate(python_blocks(ROOT / "docs" / "training.md")):
        exec(compile(block, f"training.md, example {number + 1}", "exec"), namespace)
    assert namespace["z"].shape == (4,)
    assert namespace["accuracy"] >= 0.9
    values = np.linalg.eigvalsh(np.asarray(namespace["g"], np.float64))
    assert values[-1] > 0
    assert values[-2] < 1e-3 * values[-1]  # two classes have one log-ratio, and log-posteriors are almost a line


@pytest.mark.slow
def test_shorter_paths_are_found_as_it_is_written():
    namespace: dict = {}
    for number, block in enumerate(python_blocks(ROOT / "docs" / "geodesics.md")):
        exec(compile(block, f"geodesics.md, example {number + 1}", "exec"), namespace)
    found = namespace["found"]
    assert found.lengths.shape == (3,)
    assert (found.lengths <= found.straight_lengths * (1 + 1e-6)).all()
    assert found.lengths.min() > 0


def test_directions_are_found_kept_and_walked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict = {}
    for number, block in enumerate(python_blocks(ROOT / "docs" / "directions.md")):
        exec(compile(block, f"directions.md, example {number + 1}", "exec"), namespace)
        assert max(map(len, block.splitlines())) <= 130
    assert namespace["again"].names[:2] == ("slant", "axis 2")
    np.testing.assert_allclose(namespace["even"].distances[:, 4], 0)
    assert {path.name for path in tmp_path.iterdir()} >= {"digits.npz", "digits.gif"}


def test_paths_are_walked_measured_and_ranked():
    namespace: dict = {}
    for number, block in enumerate(python_blocks(ROOT / "docs" / "warps.md")):
        exec(compile(block, f"warps.md, example {number + 1}", "exec"), namespace)
        assert max(map(len, block.splitlines())) <= 130
    assert namespace["values"].names == ("brightness", "thickness", "row")
    assert namespace["values"].values.shape == (6, 4, 9, 3)
    assert len(namespace["ranking"].table("thickness", 3)["path"]) == 3
    assert (namespace["long"].over_straight > 0.98).all()


def test_the_readme_and_what_goes_on_from_it_run_in_a_fresh_process(tmp_path):
    others = ("biggan", "torch")  # a model to convert first, and what has a test of its own
    pages = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("statistics", "inversion", "models"))]
    blocks = [block for page in pages for block in python_blocks(page) if not any(word in block for word in others)]
    start = (
        "import numpy as np\nfn = lambda params, z: (params * z).reshape(8, 8, 8)\nparams = np.ones(512, np.float32)\n"
    )
    features = "features = lambda params, x: params.sum() * x.mean(axis=-1)\n"
    script = "\n".join([start, features, *blocks, "np.testing.assert_array_less(0.5, alike.summary('log').mean)"])
    run = [sys.executable, "-c", script]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "spectra.png", "homogeneity.png"}


def test_the_first_minute_with_a_module_of_ones_own(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch", reason=REASON)
    monkeypatch.chdir(tmp_path)
    (block,) = (block for block in python_blocks(ROOT / "README.md") if "torch" in block)
    net = torch.nn.Sequential(torch.nn.Linear(4, 48), torch.nn.Unflatten(1, (3, 4, 4)), torch.nn.Sigmoid())
    smaller = block.replace("(1, 64)", "(1, 4)").replace('lpips("alex")', "mse()").replace(", 16,", ", 2,")
    exec(smaller, {"net": net})
    assert (tmp_path / "runs" / "mine" / "report.html").is_file()
    z = np.linspace(-1, 1, 4, dtype=np.float32)
    theirs = net(torch.tensor(z)[None])[0].detach().numpy()
    np.testing.assert_allclose(gg.load("my-net")(z), np.moveaxis(theirs, 0, -1), atol=1e-6)


def test_links_of_the_documentation_exist():
    for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        prose = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\((?!http)([^)#]+)", prose):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_page_of_models_names_every_family():
    text = (ROOT / "docs" / "models.md").read_text()
    shipped_only = {"digit-classifier"}
    short = {"generative-latent-space-bigan": "-bigan"}
    assert [name for name in NETWORKS if f"`{short.get(name, name)}`" not in text] == sorted(shipped_only)


def test_search_runs_as_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict = {}
    for number, block in enumerate(python_blocks(ROOT / "docs" / "search.md")):
        exec(compile(block, f"search.md, example {number + 1}", "exec"), namespace)
    found, finer = namespace["found"], namespace["finer"]
    assert found.history[..., -1].max() < found.history[..., 0].max()
    assert (finer.history[..., -1] <= finer.history[..., 0]).all()
    assert namespace["result"].evaluations <= 200
    assert namespace["records"].code.shape == (4, 64)
    assert namespace["basin"].codes.shape == (4, 64)
    assert namespace["best"].sample.shape == (32, 32, 1)
