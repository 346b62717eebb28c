"""Pools of latent codes: the published ones, and our own as we write them."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

import geomgan as gg
from geomgan.errors import CheckpointError, NotHereError
from geomgan.zoo import load_pool, write_pool
from tests.directions.test_joint_training import D, stripes
from tests.fixtures import ASSETS, needs_assets

POOLS = ASSETS / "warpedganspace-pools"


@needs_assets
@pytest.mark.parametrize(
    ("name", "count", "dim"), [("SNGAN_MNIST/SNGAN_MNIST_10", 10, 128), ("BigGAN-239/BigGAN-239_4", 4, 120)]
)
def test_published_pools_load(name, count, dim):
    pool = load_pool(POOLS / name, dim)
    assert pool.codes.shape == (count, dim)
    for code, folder, picture in zip(pool.codes, pool.names, pool.pictures, strict=True):
        assert folder.endswith(hashlib.sha1(code.tobytes()).hexdigest())
        assert picture.name == "image.jpg"
    with pytest.raises(CheckpointError, match=f"has {dim} dimensions; expected 64"):
        load_pool(POOLS / name, 64)


def test_a_pool_is_written_and_read_back(tmp_path):
    G = gg.Generator.from_function(stripes, (), D, name="stripes")
    codes = np.random.default_rng(0).standard_normal((3, D)).astype(np.float32)
    write_pool(G, codes, tmp_path / "pool", {"seed": 0})
    pool = load_pool(tmp_path / "pool")
    np.testing.assert_array_equal(pool.codes, codes)
    assert pool.args == {"seed": 0}
    shown = np.asarray(Image.open(io.BytesIO(pool.pictures[1].read_bytes())))
    expected = np.asarray(G(codes[1]))[..., 0]
    np.testing.assert_allclose(shown, 127.5 * (np.clip(expected, -1, 1) + 1), atol=0.51)


def test_what_is_no_pool(tmp_path):
    with pytest.raises(NotHereError, match="is no pool of latent codes"):
        load_pool(tmp_path)
    G = gg.Generator.from_function(stripes, (), D, name="stripes")
    pool = write_pool(G, np.zeros((1, D), np.float32), tmp_path / "pool")
    np.save(tmp_path / "pool" / pool.names[0] / "latent_code.npy", np.ones((1, D), np.float32))
    with pytest.raises(CheckpointError, match="is another code than its folder says"):
        load_pool(tmp_path / "pool")
