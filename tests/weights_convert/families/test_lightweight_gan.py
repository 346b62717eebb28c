"""lucidrains' lightweight GAN, against torch, and files that are refused."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError
from tests.fixtures import assert_close
from tests.weights_convert.torch_lucidrains import lightweight, lightweight_state
from tests.weights_convert.torch_models import saved
from weights_convert.auto import convert_any
from weights_convert.convert import convert

GATES = {1: 4}  # the map of 16 pixels gates that of 128
SIZES = {
    "16 pixels, attention, grey": {"features": (8, 6), "attention": (1,), "channels": 1},
    "128 pixels": {"features": (6, 5, 4, 4, 3), "gates": GATES},
    "128 pixels, frequencies, transparent": {
        "features": (4, 4, 3, 3, 3),
        "gates": GATES,
        "frequencies": True,
        "channels": 4,
    },
}


def file_of(folder, state):
    (folder / "model_3.pt").write_bytes(saved({"GAN": state, "version": "1.2.1", "G_scaler": {}, "D_scaler": {}}))
    return folder / "model_3.pt"


SLOW = {"128 pixels, frequencies, transparent"}


@pytest.mark.parametrize("size", [pytest.param(s, marks=[pytest.mark.slow] if s in SLOW else []) for s in SIZES])
def test_equals_torch(tmp_path, size):
    state = lightweight_state(**SIZES[size])
    family, folder = convert_any(file_of(tmp_path, state), tmp_path / "model", say=lambda _: None)
    assert family == "lightweight-gan"
    rng, layers = np.random.default_rng(0), len(SIZES[size]["features"])
    z, noise = rng.standard_normal((2, 6)), [rng.standard_normal((8 * 2**i,) * 2) for i in range(layers)]
    exact = {name: tensor.double() for name, tensor in state.items()}
    gates = SIZES[size].get("gates")
    theirs = lightweight(exact, torch.from_numpy(z), list(map(torch.from_numpy, noise)), gates).movedim(1, -1).numpy()
    assert np.abs(theirs[0] - theirs[1]).max() > 0.02 * np.abs(theirs).max()
    G = gg.load(folder, noise=noise)
    assert G.output_range == (0, 1)
    assert_close(jax.vmap(G)(z), theirs)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"GE.layers.1.0.3.weight": None}, r"1 tensors missing: GE\.layers\.1\.0\.3\.weight"),
        ({"GE.extra": torch.ones(2)}, r"1 tensors left over: GE\.extra"),
        ({"GE.layers.1.1.net.0.weight": torch.ones(2, 6, 1, 1)}, r"look at maps of \[16\] pixels; expected \[\]"),
        ({"GE.out_conv.weight": torch.ones(2)}, "no generator of lightweight-gan"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, change, says):
    state = {name: x for name, x in (lightweight_state((8, 6)) | change).items() if x is not None}
    with pytest.raises(CheckpointError, match=says):
        convert("lightweight-gan", file_of(tmp_path, state), tmp_path / "model")
