"""What objects say of themselves: a line or two, also with a hundred million numbers inside."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.brief import LONGEST, brief
from tests.small_models import small_dcgan

MSE = gg.distances.mse(mask=np.ones((16, 16)))


@pytest.fixture(scope="module")
def objects():
    G, key = small_dcgan(), jax.random.key(0)
    codes = np.asarray(G.sample_latent(key, 3))
    field = gg.metric_field(G, MSE, codes, progress=False)
    op = gg.metric_operator(G, MSE, codes[0])
    lines = gg.paths.lines(codes[0], np.asarray(field.vectors[0]))
    consistency = gg.analysis.consistency(field, progress=False)
    stacked = jax.tree.map(lambda p: jnp.stack([p, p]), G.params)
    return {
        "generator": G,
        "ensemble": gg.ensemble(G, stacked),
        "layer": G.at("block1"),
        "distance": MSE,
        "lpips": gg.distances.lpips("alex", resize=64),
        "operator": op,
        "differences": gg.metric_operator(G, MSE, codes[0], hvp="finite-difference"),
        "pairs": gg.eigenpairs(op),
        "field": field,
        "plan": gg.plan(G, MSE, 5, estimate=False),
        "line": lines[0],
        "circle": gg.paths.great_circles(codes[0], np.asarray(field.vectors[0]))[0],
        "walks": gg.paths.walk(G, MSE, lines, np.linspace(-1, 1, 5)),
        "spectrum": gg.analysis.mean_spectrum(field),
        "anisotropy": gg.analysis.anisotropy(field, key=key),
        "consistency": consistency,
        "layers": gg.analysis.layer_metrics(G, MSE, codes[0]),
        "gaussian": gg.Gaussian(jnp.ones((100, 100, 3)), jnp.ones((100, 100, 3))),
        "check": gg.distances.check(MSE, G(codes[0]), G(codes[1])),
    }


def test_everything_is_a_line_or_two(objects):
    for name, thing in objects.items():
        assert len(repr(thing)) <= LONGEST + 5, name
        assert "\n" not in repr(thing), name


def test_what_is_said(objects):
    assert "'small-dcgan'" in repr(objects["generator"])
    assert "latent_dim=8" in repr(objects["generator"])
    sizes = [leaf.size for leaf in jax.tree.leaves(objects["generator"].params)]
    assert f"{len(sizes)} arrays, {sum(sizes):,} numbers" in repr(objects["generator"])
    assert "origin=float64[8]" in repr(objects["line"])
    assert repr(objects["gaussian"]) == "Gaussian(mean=float32[100, 100, 3], std=float32[100, 100, 3])"


def test_tracers_and_odd_contents_have_one_as_well(objects):
    seen = []
    jax.jit(lambda G: seen.append(repr(G)))(objects["generator"])
    assert "'small-dcgan'" in seen[0]
    assert "params=dict" in repr(jax.tree.map(lambda _: "a text", objects["generator"]))


def test_long_fields_are_cut_between_fields():
    from dataclasses import make_dataclass

    Long = brief(make_dataclass("Long", [f"field{i}" for i in range(50)]))
    text = repr(Long(*["x" * 100] * 50))
    assert text.endswith(", …)")
    assert len(text) <= LONGEST + 5
