"""The examples of the documentation run, in their order, as a reader would type them."""

from __future__ import annotations

import re

import numpy as np

import geomgan as gg
from geomgan.zoo.families import FAMILIES
from tests.fixtures import ROOT


def python_blocks(path):
    return re.findall(r"^```python\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)


def test_generators_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict = {}
    blocks = python_blocks(ROOT / "docs" / "own_generator.md")
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
    assert shapes == [(16, 16, 3)] * 2 + [(16, 16, 1)] * 3 + [(8, 8, 3)] * 2
    assert layers[0] == ("hidden",)
    assert namespace["field"].values.shape == (4, 8)
    np.testing.assert_allclose(np.linalg.norm(namespace["field"].codes, axis=1), 8**0.5, rtol=1e-6)


def test_the_readme_names_every_family():
    text = (ROOT / "README.md").read_text()
    shipped_only = {"digit-classifier"}
    short = {"generative-latent-space-bigan": "-bigan"}
    assert [name for name in FAMILIES if f"`{short.get(name, name)}`" not in text] == sorted(shipped_only)
