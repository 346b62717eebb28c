"""Configurations that no network has, in cards of the right types: one kind of error, quickly and in little memory."""

from __future__ import annotations

import resource

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.errors import CheckpointError
from geomgan.generators import nvidia_stylegan3
from geomgan.models.build import build
from geomgan.models.families import NETWORKS
from tests.fixtures import random_params

CONFIGS = {
    "dcgan-tutorial": {"latent_dim": 3, "features": [4, 4], "channels": 1, "resolution": 16},
    "sngan": {"latent_dim": 4, "features": [6, 4], "channels": 1, "seed": 4, "resolution": 8},
    "wavegan": {"latent_dim": 3, "features": [4, 3], "channels": 1, "last_factor": 4, "repeats": True},
    "proggan": {"latent_dim": 4, "features": [4, 3], "channels": 3, "resolution": 8, "slope": 0.2, "tanh": False},
    "generative-latent-space-vae": {"latent_dim": 4, "centers": 64, "channels": 1, "resolution": 28},
}
VALUES = (0, -1, 1, 2**20, 1e300, "text", None, [], [0], [1, 2, 3], [[]], {}, {"a": 1})


def model(family):
    config, parts = CONFIGS[family], NETWORKS[family]
    params = {part: random_params(kind.module(config), *kind.inputs(config)) for part, kind in parts.items()}
    return {"family": family, "config": config, "output_range": [-1, 1]}, params


@pytest.mark.parametrize("family", CONFIGS)
def test_every_entry_with_values_that_it_cannot_have(family):
    card, params = model(family)
    sample = gg.Generator.__call__(build(card, params, None, family, {}), np.zeros(card["config"]["latent_dim"], "f4"))
    grown, refused = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    for key in card["config"]:
        for value in VALUES:
            changed = {**card, "config": {**card["config"], key: value}}
            try:
                G = build(changed, params, None, family, {})
            except CheckpointError as error:
                assert "do not fit each other" in str(error)  # noqa: PT017  either outcome is right
                refused += 1
            else:
                assert G.sample_shape.dtype == sample.dtype  # an entry that is for the reader, or the same size
        without = {**card, "config": {name: entry for name, entry in card["config"].items() if name != key}}
        try:
            build(without, params, None, family, {})
        except CheckpointError:
            refused += 1
    assert refused > len(VALUES)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown < 1 << 20  # in KiB


def test_sizes_that_no_weight_contradicts():
    """The upsampling of StyleGAN3, whose filters would be filled with zeros."""
    config = nvidia_stylegan3.configuration(16, channel_base=64, channel_max=4)
    config |= {"latent_dim": 4, "mapping": [4, 4]}
    template = nvidia_stylegan3.template(config)
    params = {"generator": jax.tree.map(lambda leaf: np.full(leaf.shape, 0.1, "f4"), template)}
    params["average"] = {"latent": np.zeros(4, "f4")}
    card = {"family": "nvidia-stylegan3", "config": config, "output_range": [-1, 1]}
    assert build(card, params, None, "small", {}).latent_dim == 4
    for key, value in (("up", 2**20), ("up", 0), ("up", 2.5), ("down", 0), ("padding", [2**20, "a"])):
        layers = [{**layer, key: value} if k == 3 else layer for k, layer in enumerate(config["layers"])]
        with pytest.raises(CheckpointError, match="do not fit each other"):
            build({**card, "config": {**config, "layers": layers}}, params, None, "small", {})
