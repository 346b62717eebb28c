"""Modules of PyTorch in one call: the samples and derivatives that torch gives, and nothing left of torch."""

from __future__ import annotations

import sys

import jax
import numpy as np
import pytest
import torch
from torch import nn

import geomgan as gg
from geomgan.errors import CheckpointError
from geomgan.generators.aten.from_torch import check_sample
from geomgan.generators.aten.operators import OPERATORS
from tests.fixtures import assert_close

CODE = np.linspace(-1, 1, 6).astype("f4")


class Conditional(nn.Module):
    """A code, a label and a map of noise; upsampling, a norm behind a convolution and one before it, weight norm."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.classes = nn.Embedding(4, 6)
        self.fc = nn.Linear(6, 8 * 4 * 4)
        self.first = nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(), nn.Upsample(scale_factor=2))
        self.conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(8, 8, 3, padding=1))
        self.last = nn.Sequential(nn.BatchNorm2d(8), nn.LeakyReLU(0.2), nn.ConvTranspose2d(8, 3, 4, 2, 1))
        for norm in (self.first[0], self.last[0]):
            nn.init.normal_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.5, 2)
        self.dropout = nn.Dropout(0.5)

    def forward(self, z, y, noise):
        x = self.first(self.fc(z * self.classes(y)).view(-1, 8, 4, 4))
        return torch.sigmoid(self.last(self.dropout(self.conv(x)) + 0.1 * noise))


@pytest.fixture(scope="module")
def made():
    module, noise = Conditional().train(), torch.randn(1, 8, 8, 8)
    inputs = {"y": torch.tensor([2]), "noise": noise}
    G = gg.Generator.from_torch(module, torch.zeros(1, 6), inputs=inputs)
    assert module.training
    assert module.dropout.training  # as it was
    return G, module.eval(), inputs


def test_samples_and_derivatives_are_those_of_torch(made, tmp_path):
    G, module, inputs = made
    of_torch = lambda z: module(z[None], **inputs)[0].permute(1, 2, 0)
    with torch.no_grad():
        assert_close(G(CODE), of_torch(torch.tensor(CODE)), 1e-5)
    jacobian = torch.autograd.functional.jacobian(of_torch, torch.tensor(CODE), vectorize=True)
    assert_close(jax.jacfwd(G)(CODE), jacobian, 1e-4)
    assert (G.name, G.latent_dim, G.output_range, G.sample_shape.shape) == ("Conditional", 6, (0, 1), (16, 16, 3))
    assert "relu" in G.layers
    saved = gg.load(gg.save(G, tmp_path / "mine"))
    np.testing.assert_array_equal(saved(CODE), G(CODE))
    with torch.no_grad():
        other = module(torch.tensor(CODE)[None], torch.tensor([1]), inputs["noise"])[0].permute(1, 2, 0)
    assert_close(gg.load(tmp_path / "mine", y=1)(CODE), other, 1e-5)


def test_options(made):
    prior = lambda key, n: jax.random.uniform(key, (n, 6))
    G = gg.Generator.from_torch(nn.Linear(6, 5), torch.zeros(1, 6), sample_latent=prior, output_range=None, name="flat")
    assert (G.name, G.output_range, G.sample_shape.shape) == ("flat", None, (5,))
    codes = G.sample_latent(jax.random.key(0), 9)
    assert codes.min() >= 0
    assert gg.Generator.from_torch(nn.Linear(6, 5), torch.zeros(1, 6)).output_range == (-1, 1)


class Drawing(nn.Module):
    def forward(self, z):
        return z + torch.randn_like(z)


@pytest.mark.parametrize(
    ("module", "example", "error", "says"),
    [
        (lambda z: z, torch.zeros(1, 3), TypeError, r"module is function; expected a torch\.nn\.Module"),
        (nn.Linear(3, 3), np.zeros((1, 3)), TypeError, r"expected one code, such as torch\.randn"),
        (nn.Linear(3, 3), torch.zeros(1, 3).long(), TypeError, "no tensor of floating point"),
        (nn.Linear(3, 3), torch.zeros(4, 3), ValueError, r"shape \(4, 3\); expected one code, \(1, \.\.\.\)"),
        (nn.Linear(3, 3), torch.zeros(3), ValueError, "expected one code"),
        (Drawing(), torch.zeros(1, 3), CheckpointError, "randn_like"),
    ],
)
def test_what_is_no_generator_is_refused(module, example, error, says):
    with pytest.raises(error, match=says):
        gg.Generator.from_torch(module, example)


def test_where_torch_is_absent_the_way_without_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs torch: pip install torch.*geomgan convert torch-export"):
        gg.Generator.from_torch(None, None)


def test_a_module_is_no_generator_yet():
    net, D = nn.Linear(3, 4), gg.distances.euclidean()
    for call in (
        lambda: gg.load(net),
        lambda: gg.metric_tensor(net, D, np.ones(3)),
        lambda: gg.report(net, D, 2, key=jax.random.key(0), out="nowhere"),
        lambda: gg.Generator.from_function(net, {}, 3),
        lambda: gg.Generator.from_module(net, {}, 3),
    ):
        with pytest.raises(TypeError, match=r"A module of PyTorch is one after geomgan\.Generator\.from_torch"):
            call()
    with pytest.raises(ValueError, match=r"shape \(3,\); expected one code, \(1, \.\.\.\): pass example\[None\]\."):
        gg.Generator.from_torch(net, torch.zeros(3))
    needed = r"inputs=\{'y': \.\.\., 'noise': \.\.\.\}"
    for inputs, missing in (({}, "'y'"), ({"y": torch.tensor([2])}, "'noise'"), ({"label": torch.tensor([2])}, "'y'")):
        with pytest.raises(TypeError, match=rf"forward takes \(z, y, noise\).*argument:? {missing}\. .*{needed}"):
            gg.Generator.from_torch(Conditional(), torch.zeros(1, 6), inputs=inputs)
    with pytest.raises(TypeError, match=r"module is OrderedDict; .* a state dict loaded into one"):
        gg.Generator.from_torch(net.state_dict(), torch.zeros(1, 3))


def test_a_sample_that_is_not_torchs_is_refused(monkeypatch):
    check_sample(np.full(4, 1 + 9e-5), np.ones(4))
    for ours in (np.full(4, 1 + 2e-4), np.array([1, 1, 1, np.nan])):
        with pytest.raises(CheckpointError, match=r"example is (2.0e-04|nan) of the largest magnitude away.*1e-04"):
            check_sample(ours, np.ones(4))
    monkeypatch.setitem(OPERATORS, "tanh", lambda x: x)
    with pytest.raises(CheckpointError, match="away from torch's"):
        gg.Generator.from_torch(nn.Tanh(), torch.ones(1, 3))
