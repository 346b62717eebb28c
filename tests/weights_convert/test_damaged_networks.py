"""Damaged whole modules and state dicts become programs or are refused; nothing is executed, and memory is bounded."""

import pytest
import torch
from torch import nn

from tests.hostile import damaged, watched
from tests.weights_convert.torch_saved import saved

SETUP = """
import linecache
import jax
from geomgan.errors import OptionError
from weights_convert.convert import read
linecache.updatecache = lambda *_: []  # the source of JAX, which its errors quote, is read for nothing
jax.config.update("jax_enable_compilation_cache", False)

def attempt(path):
    try:
        read("FAMILY", path)
    except OptionError as error:  # what no tensor says is asked for
        raise CheckpointError(str(error))
"""


def check(folder, family: str, count: int) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 98), nn.Unflatten(1, (2, 7, 7)), nn.ConvTranspose2d(2, 1, 4, 2, 1), nn.Tanh())
    good = saved(net if family == "torch-module" else net.state_dict(), False, checksums=False)
    files = {str(i): data for i, data in enumerate(damaged(good, count))}
    outcomes = watched(folder, SETUP.replace("FAMILY", family), files, good, 1 << 30, converting=True)
    assert sum(outcome.text != "read" for outcome in outcomes.values()) > count / 4
    assert max(outcome.seconds for outcome in outcomes.values()) < 30


@pytest.mark.parametrize("family", ["torch-module", "torch-layers"])
def test_damaged_networks_raise_nothing_else(tmp_path, family):
    check(tmp_path, family, 40)


@pytest.mark.slow  # two thousand files, of each of which a network is traced
@pytest.mark.parametrize("family", ["torch-module", "torch-layers"])
def test_thousands_of_damaged_networks_raise_nothing_else(tmp_path, family):
    check(tmp_path, family, 2_000)
