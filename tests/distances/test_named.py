"""Distances by name, and the options that each takes."""

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.distances.named import DISTANCES, named_distance, named_distances


@pytest.mark.parametrize("name", ["mse", "euclidean", "lpips-alex", "ssim", "digit-features"])
def test_a_name_is_its_distance(name):
    x, y = jax.random.uniform(jax.random.key(0), (2, 32, 32, 1), minval=-1)
    d = gg.distances
    same = {
        "mse": d.mse(),
        "euclidean": d.euclidean(),
        "lpips-alex": d.lpips("alex"),
        "ssim": d.ssim(),
        "digit-features": d.classifier_features("digits", "conv3"),
    }[name]
    np.testing.assert_array_equal(named_distance(name)(x, y), same(x, y))


def test_sounds():
    x, y = jax.random.uniform(jax.random.key(0), (2, 4096, 1), minval=-1)
    same = gg.distances.spectrogram(8000)
    np.testing.assert_array_equal(named_distance("spectrogram", sample_rate=8000)(x, y), same(x, y))


def test_each_of_two_gets_the_options_that_it_takes():
    x, y = jax.random.uniform(jax.random.key(0), (2, 32, 32, 1), minval=-1)
    plain, large = named_distances(("mse", "lpips-alex"), 64)
    np.testing.assert_array_equal(large(x, y), gg.distances.lpips("alex", resize=64)(x, y))
    assert float(large(x, y)) != float(named_distance("lpips-alex")(x, y))
    np.testing.assert_array_equal(plain(x, y), gg.distances.mse()(x, y))


@pytest.mark.parametrize("side", [32, 48])
def test_a_network_of_one_size_beside_another_distance_gets_no_other_side(side):
    x, y = jax.random.uniform(jax.random.key(0), (2, 32, 32, 1), minval=-1)
    first, second = named_distances(("lpips-alex", "digit-features"), side)
    np.testing.assert_array_equal(first(x, y), gg.distances.lpips("alex", resize=side)(x, y))
    np.testing.assert_array_equal(second(x, y), gg.distances.classifier_features("digits", "conv3")(x, y))
    with pytest.raises(ValueError, match="resize is 48; expected 32"):
        named_distance("digit-features", 48)


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (("lpips-alx",), {}, "distance='lpips-alx' is not known. Did you mean 'lpips-alex'"),
        (("mse", "sim"), {}, "distance='sim' is not known"),
        (("mse",), {"resize": 64}, "mse cannot take resize; it is for lpips-alex, .*digit-features. Leave it out"),
        (("mse", "ssim"), {"resize": 64}, "mse and ssim cannot take resize"),
        (("lpips-alex",), {"sample_rate": 8000}, "lpips-alex cannot take sample_rate; it is for spectrogram"),
        (("spectrogram",), {}, r"distance='spectrogram' needs sample_rate, such as 16000 \(hertz\)"),
    ],
)
def test_options_that_do_not_fit_are_refused(names, options, message):
    with pytest.raises(gg.OptionError, match=message):
        named_distances(names, **options)


def test_every_name_says_what_it_takes():
    assert set(DISTANCES) == {
        *(
            "mse",
            "euclidean",
            "gaussian",
            "lpips-alex",
            "lpips-vgg",
            "lpips-squeeze",
            "ssim",
            "ms-ssim",
            "digit-features",
        ),
        "spectrogram",
    }
    assert DISTANCES["spectrogram"].options == ("sample_rate",)
