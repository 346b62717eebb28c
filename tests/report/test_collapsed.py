"""A generator that gives one sample for all codes: it is told before the work, and what there is is written."""

import json
import warnings

import jax
import jax.numpy as jnp
import numpy as np

import geomgan as gg
from geomgan.metric.diagnose import first_constant
from tests.small_models import linear_generator, small_dcgan

MSE = gg.distances.mse()
KEY = jax.random.key(0)


def with_zero_kernel(name):
    """A DCGAN whose convolution ``name`` lets nothing through."""
    G = small_dcgan()
    params = {layer: dict(leaves) for layer, leaves in G.params.items()}
    params[name]["kernel"] = jnp.zeros_like(params[name]["kernel"])
    return gg.Generator(params, G.function, G.prior, G.latent_dim, G.output_range, "collapsed")


def test_the_layer_where_it_stops_is_named(rng):
    codes = rng.standard_normal((3, 8)).astype(np.float32)
    G = small_dcgan()
    assert first_constant(G, MSE, codes) == ""
    *_, last = G.params
    for name in G.params:
        said = first_constant(with_zero_kernel(name), MSE, codes)
        assert said.startswith("layer "), said
        assert ("(the last that changes is layer" in said) == (name != next(iter(G.params))), said
    for D in (MSE, gg.distances.ssim()):  # with and without an embedding
        assert first_constant(with_zero_kernel(last), D, codes[:1])
    assert first_constant(with_zero_kernel(last), MSE, codes)


def test_without_layers_and_up_to_rounding(rng):
    codes = rng.standard_normal((2, 3)).astype(np.float32)
    same = gg.Generator.from_function(lambda p, z: jnp.ones(5) + 1e-9 * z.sum(), (), 3)
    assert first_constant(same, MSE, codes) == "the sample"
    assert first_constant(linear_generator(1e-6 * np.eye(3)), MSE, codes) == ""
    blind = gg.distances.features(lambda p, x: 0 * x)
    said = "the embedding of the sample (the last that changes is the sample)"
    assert first_constant(linear_generator(np.eye(3)), blind, codes) == said
    assert first_constant(linear_generator(np.eye(3)), MSE, np.repeat(codes[:1], 3, axis=0)) == ""  # equal codes


def test_the_report_is_written_all_the_same(tmp_path):
    G = with_zero_kernel([*small_dcgan().params][-1])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report = gg.report(G, MSE, 3, key=KEY, out=tmp_path / "run", top=2, progress=False)
    said = [str(warning.message) for warning in caught]
    assert "All 3 codes give the same sample: it stops changing at layer" in said[0]  # before anything else
    assert not [text for text in said if "divide" in text or "invalid value" in text]
    assert "All 3 codes give the same sample" in report.finding
    assert report.page.stat().st_size > 10_000
    told = json.loads(report.summary.read_text())
    assert set(told["mean_eigenvalues"]) == {0.0}
    assert "layers" in told["sections"]
    print(*said, *((name, part["said"]) for name, part in told["sections"].items()), report.finding, sep="\n")


def test_a_distance_that_sees_nothing_is_told_after_the_field(tmp_path):
    blind = gg.distances.features(lambda p, x: 0 * x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = gg.report(linear_generator(np.eye(3)), blind, 3, key=KEY, out=tmp_path, progress=False, layers=False)
    assert "All 3 codes give the same sample: it stops changing at the embedding of the sample" in report.finding
