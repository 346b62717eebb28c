"""Tutorial DCGANs as people save them: nested, prefixed, half precision, with or without biases."""

from __future__ import annotations

import argparse

import jax
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError
from tests.differentiable import assert_differentiable
from tests.fixtures import assert_close
from tests.weights_convert.torch_models import Harmful, saved, tutorial_dcgan
from weights_convert.convert import convert


def prefixed(prefix: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


DISCRIMINATOR = {"main.0.weight": torch.ones(4, 3, 4, 4), "main.2.weight": torch.ones(8, 4, 4, 4)}
NESTS = {
    "netG, with all that training needs": lambda state: {
        "netG": state,
        "netD": DISCRIMINATOR,
        "optimizerG": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 2e-4, "params": [0]}]},
        "opt": argparse.Namespace(nz=5, ngf=64),
        "epoch": 3,
        "losses": [0.5, 1.5],
    },
    "G": lambda state: {"G": state, "D": DISCRIMINATOR},
    "generator": lambda state: {"generator": state, "discriminator": DISCRIMINATOR, "params": {"nz": 5}},
    "generator_state_dict": lambda state: {"generator_state_dict": state, "model_state_dict": DISCRIMINATOR},
    "model_state_dict": lambda state: {"model_state_dict": state, "loss": 0.5},
    "state_dict": lambda state: {"state_dict": state, "arch": "dcgan"},
    "two keys": lambda state: {"netG": {"state_dict": prefixed("module.", state), "epoch": 2}, "netD": DISCRIMINATOR},
    "key, then network": lambda state: {"model_state_dict": {"netD": DISCRIMINATOR, "netG": state}},
    "one module with both": lambda state: {
        "state_dict": prefixed("generator.", state) | prefixed("discriminator.", DISCRIMINATOR)
    },
    "parallel": lambda state: prefixed("module.", state),
    "half precision": lambda state: {name: t.half() if t.is_floating_point() else t for name, t in state.items()},
}


@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("nest", NESTS)
def test_files_as_people_save_them(tmp_path, nest, bias):
    module = tutorial_dcgan(5, (6, 4), 3, bias, seed=4).half().float()
    (tmp_path / "netG.pth").write_bytes(saved(NESTS[nest](module.state_dict())))
    G = gg.load(convert("dcgan-tutorial", tmp_path / "netG.pth", tmp_path / "model"))
    z = torch.randn(2, 5, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs = module.main(z[:, :, None, None]).movedim(1, -1).numpy()
    assert theirs.std() > 0.1
    assert_close(jax.vmap(G)(z.numpy()), theirs)


def test_some_layers_with_a_bias(tmp_path):
    module = tutorial_dcgan(4, (5, 3), 1, bias=True, seed=2)
    with torch.no_grad():
        module.main[3].bias.zero_()
    state = {name: tensor for name, tensor in module.state_dict().items() if name != "main.3.bias"}
    (tmp_path / "netG.pth").write_bytes(saved(state))
    G = gg.load(convert("dcgan-tutorial", tmp_path / "netG.pth", tmp_path / "model"))
    with torch.no_grad():
        theirs = module.main(torch.ones(1, 4, 1, 1)).movedim(1, -1).numpy()
    assert_close(G(torch.ones(4).numpy()), theirs[0])


def test_differentiable(tmp_path):
    (tmp_path / "netG.pth").write_bytes(saved(tutorial_dcgan(6, (5, 4), 3).state_dict()))
    G = gg.load(convert("dcgan-tutorial", tmp_path / "netG.pth", tmp_path / "model"))
    assert_differentiable(G, "block2")


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        (
            lambda: {"netD": DISCRIMINATOR},
            r"the file holds \['netD'\]; expected a state dict of tensors, alone or under",
        ),
        (lambda: DISCRIMINATOR, r"no tutorial DCGAN: expected 4 x 4 kernels main\.0\.weight, main\.3\.weight"),
        (lambda: {"netG": {"state_dict": 5}}, "the file holds int; expected a state dict of tensors"),
        (
            lambda: {"netG": tutorial_dcgan(3, (4, 2), 1).state_dict() | {"main.3.weight": torch.ones(4, 2, 5, 5)}},
            "no tutorial DCGAN: expected 4 x 4 kernels",
        ),
    ],
)
def test_files_without_a_generator_are_refused(tmp_path, tree, says):
    (tmp_path / "a.pth").write_bytes(saved(tree()))
    with pytest.raises(CheckpointError, match=says):
        convert("dcgan-tutorial", tmp_path / "a.pth", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_is_refused(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    tree = {"netG": tutorial_dcgan(3, (4,), 1).state_dict(), "opt": Harmful()}
    (tmp_path / "a.pth").write_bytes(saved(tree, zipped))
    with pytest.raises(CheckpointError, match=r"system, which is not data"):
        convert("dcgan-tutorial", tmp_path / "a.pth", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]
