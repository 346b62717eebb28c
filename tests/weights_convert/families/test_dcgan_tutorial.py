"""Tutorial DCGANs as people save them: nested, prefixed, half precision, with or without biases."""

from __future__ import annotations

import argparse
import itertools

import jax
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError, OptionError
from tests.differentiable import assert_differentiable
from tests.fixtures import assert_close
from tests.weights_convert.torch_models import Harmful, randomise, saved, tutorial_dcgan
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
            lambda: {"netG": {"main.0.weight": torch.ones(4, 4, 3, 4), "main.3.weight": torch.ones(4, 1, 4, 4)}},
            "no tutorial DCGAN: expected 4 x 4 kernels",
        ),
        (
            lambda: {"netD": DISCRIMINATOR},
            r"the file holds \['netD'\]; expected a state dict of tensors, alone or under",
        ),
        (
            lambda: DISCRIMINATOR,
            r"published main\.2 gives output/kernel of shape \(4, 4, 8, 4\); expected \(4, 4, 3, 4\)",
        ),
        (lambda: {"netG": {"state_dict": 5}}, "the file holds int; expected a state dict of tensors"),
        (
            lambda: {"netG": tutorial_dcgan(3, (4, 2), 1).state_dict() | {"main.3.weight": torch.ones(4, 2, 5, 5)}},
            r"the file does not say its stride\. Give --option stride=",
        ),
    ],
)
def test_files_without_a_generator_are_refused(tmp_path, tree, says):
    (tmp_path / "a.pth").write_bytes(saved(tree()))
    with pytest.raises((CheckpointError, OptionError), match=says):
        convert("dcgan-tutorial", tmp_path / "a.pth", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]


# --- What no tensor says: options, whole modules, what is assumed ---


def network(stages, activation, end, epsilon=1e-5, bias=False) -> torch.nn.Sequential:
    """Transposed convolutions of ``(kernel, stride, padding, output padding)`` with batch norms between."""
    widths = (5, *(6, 4, 7, 3)[: len(stages) - 1], 2)
    layers: list[torch.nn.Module] = []
    for (before, after), (kernel, stride, padding, more) in zip(itertools.pairwise(widths), stages, strict=True):
        layers.append(torch.nn.ConvTranspose2d(before, after, kernel, stride, padding, more, bias=bias))
        layers += [torch.nn.BatchNorm2d(after, epsilon), activation]
    return randomise(torch.nn.Sequential(*layers[:-2], *([end] if end else [])), seed=len(stages))


nn = torch.nn
DIGITS = [(4, 1, 0, 0), (4, 2, 1, 0), (4, 2, 1, 0), (4, 2, 3, 0)]
TUTORIAL = [(4, 1, 0, 0), (4, 2, 1, 0), (4, 2, 1, 0)]
VARIATIONS = {
    "28 pixels, leaky, sigmoid": (
        network(DIGITS, nn.LeakyReLU(0.2), nn.Sigmoid()),
        {"padding": "0,1,1,3", "slope": "0.2", "output": "sigmoid"},
    ),
    "7 x 7 first": (network([(7, 1, 0, 0), (4, 2, 1, 0), (4, 2, 1, 0)], nn.ReLU(), nn.Tanh()), {}),
    "3 x 3 between, no end": (
        network([(4, 1, 0, 0), (3, 2, 1, 0), (4, 2, 0, 0)], nn.LeakyReLU(0.01), None),
        {"stride": "1,2,2", "padding": "0,1,0", "slope": "0.01", "output": "linear"},
    ),
    "5 x 5 with output padding, elu": (
        network([(3, 1, 0, 0), (5, 2, 2, 1), (5, 2, 2, 1)], nn.ELU(), nn.Tanh()),
        {"stride": "1,2,2", "padding": "0,2,2", "output_padding": "0,1,1", "activation": "elu"},
    ),
    "epsilon 0.8": (network(TUTORIAL, nn.ReLU(), nn.Tanh(), 0.8), {"epsilon": "0.8"}),
    "epsilon 1e-3, silu": (
        network(TUTORIAL, nn.SiLU(), nn.Tanh(), 1e-3, bias=True),
        {"epsilon": "1e-3", "activation": "silu"},
    ),
    "gelu, sigmoid": (network(TUTORIAL, nn.GELU(), nn.Sigmoid()), {"activation": "gelu", "output": "sigmoid"}),
    "selu, stride 1": (
        network([(2, 1, 0, 0), (4, 1, 0, 0), (4, 1, 1, 0)], nn.SELU(), nn.Tanh()),
        {"stride": "1", "padding": "0,0,1", "activation": "selu"},
    ),
}
RANGES = {"Sigmoid": (0, 1)}


def assert_same(G, module) -> None:
    z = torch.randn(2, 5, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs = module(z[:, :, None, None]).movedim(1, -1).numpy()
    assert theirs.std() > 0.01
    assert_close(jax.vmap(G)(z.numpy()), theirs, 1e-5)
    assert G.output_range == RANGES.get(type(module[-1]).__name__, (-1, 1))


@pytest.mark.parametrize("name", VARIATIONS)
@pytest.mark.parametrize("whole", [False, True], ids=["state dict and options", "whole module"])
def test_what_no_tensor_says(tmp_path, name, whole):
    module, options = VARIATIONS[name]
    (tmp_path / "a.pth").write_bytes(saved(module if whole else module.state_dict(), zipped=len(name) % 2 == 0))
    said: list[str] = []
    folder = convert(
        "dcgan-tutorial", tmp_path / "a.pth", tmp_path / "model", {} if whole else options, say=said.append
    )
    assert_same(gg.load(folder), module)
    assumed = gg.zoo.card(folder).get("assumed", {})
    if whole:
        assert not assumed
        assert not said
    else:
        asked = {"stride", "padding", "output_padding", "activation", "output", "epsilon"}
        asked -= {"activation"} if "slope" in options else set()
        assert set(assumed) == asked - set(options)
        assert f"epsilon={options.get('epsilon', '1e-05')}" in said[0] or "epsilon" in options


def test_the_tutorials_own_behaviour_is_assumed_and_said(tmp_path):
    (tmp_path / "a.pth").write_bytes(saved(tutorial_dcgan(5, (6, 4), 3).state_dict()))
    with pytest.warns(UserWarning, match=r"stride=1,2,2, padding=0,1,1, .*activation=relu, output=tanh") as caught:
        folder = convert("dcgan-tutorial", tmp_path / "a.pth", tmp_path / "model")
    assert caught[0].filename == __file__
    card = gg.zoo.card(folder)
    assert card["assumed"] == {
        "stride": [1, 2, 2],
        "padding": [0, 1, 1],
        "output_padding": [0, 0, 0],
        "activation": "relu",
        "output": "tanh",
        "epsilon": 1e-5,
    }
    assert set(card["config"]) == {"latent_dim", "features", "channels", "resolution"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"padding": "0,1"}, "expected 3 whole numbers from 0 to 64, one for each layer"),
        ({"padding": "0,1,x"}, "expected 3 whole numbers"),
        ({"padding": "0,1,4"}, "less padding than kernel"),
        ({"padding": "3,1,1"}, r"layer 1 of kernel 4, stride 1, padding 3 .* makes -2 pixels"),
        ({"stride": "1,2,16", "padding": "0,1,1", "output_padding": "0,2,0"}, "less output padding than stride"),
        ({"slope": "0.2", "activation": "relu"}, "slope=0.2, but the activation is relu"),
        ({"slope": "2"}, "expected a number from 0 to 1"),
        ({"output": "softmax"}, "output='softmax' is not known"),
        ({"epsilon": "0"}, "expected a number from"),
    ],
)
def test_options_that_no_network_has(tmp_path, options, says):
    (tmp_path / "a.pth").write_bytes(saved(tutorial_dcgan(5, (6, 4), 3).state_dict()))
    with pytest.raises(OptionError, match=says):
        convert("dcgan-tutorial", tmp_path / "a.pth", tmp_path / "model", options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"epsilon": "1e-5"}, r"epsilon=1e-5, but the file says 0\.8\. Leave the option out"),
        ({"padding": "0,1,0"}, "padding=0,1,0, but the file says 0,1,1"),
        ({"stride": "1,1,2"}, "stride=1,1,2, but the file says 1,2,2"),
        ({"output": "sigmoid"}, "output=sigmoid, but the file says tanh"),
        ({"slope": "0.1"}, "slope=0.1, but the activation is relu"),
        ({"activation": "elu"}, "activation=elu, but the file says relu"),
    ],
)
def test_options_that_a_module_contradicts(tmp_path, options, says):
    (tmp_path / "a.pth").write_bytes(saved(VARIATIONS["epsilon 0.8"][0]))
    with pytest.raises(OptionError, match=says):
        convert("dcgan-tutorial", tmp_path / "a.pth", tmp_path / "model", options)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda net: net.__setitem__(2, nn.Softplus()), "the module has Softplus"),
        (lambda net: net.__setitem__(2, nn.PReLU()), "the module has PReLU at 2, which no DCGAN of this family has"),
        (lambda net: net.__setitem__(2, nn.ELU(0.5)), r"the module has ELU \{'alpha': 0.5\} at 2"),
        (lambda net: net.__setitem__(5, nn.LeakyReLU(0.1)), r"\['leaky_relu', 'relu'\] between its layers"),
        (lambda net: net.__setitem__(6, nn.ConvTranspose2d(4, 2, 4, (2, 1), 1)), r"stride=2,1 at 6; expected the same"),
        (lambda net: net.__setitem__(0, nn.ConvTranspose2d(5, 6, 4, dilation=2)), "the module has ConvTranspose2d"),
        (lambda net: net.append(nn.Upsample(scale_factor=2)), "the module has Upsample at 8"),
        (lambda net: net.__setitem__(5, nn.Identity()), "expected the same one behind each"),
    ],
    ids=["softplus", "prelu", "alpha", "two kinds", "two strides", "dilation", "upsampling", "none"],
)
def test_modules_of_another_network_are_refused(tmp_path, change, says):
    module = network(TUTORIAL, nn.ReLU(), nn.Tanh())
    change(module)
    (tmp_path / "a.pth").write_bytes(saved(module))
    with pytest.raises(CheckpointError, match=rf"(?s){says}.*own_generator"):
        convert("dcgan-tutorial", tmp_path / "a.pth", tmp_path / "model")


# --- Names and containers ---


class Net(nn.Module):
    """A class of a user's program, whose last function no module shows."""

    def __init__(self, layers: torch.nn.Module) -> None:
        super().__init__()
        self.net = layers


NESTED = nn.Sequential(
    *[nn.Sequential(*network(TUTORIAL, nn.ReLU(), None)[i : i + 3]) for i in (0, 3)],
    network(TUTORIAL, nn.ReLU(), None)[6],
    nn.Tanh(),
)
BARE = network(TUTORIAL, nn.ReLU(), nn.Tanh()).state_dict()
CONTAINERS = {
    "bare": BARE,
    "model.": prefixed("model.", BARE),
    "layer_stack.": prefixed("layer_stack.", BARE),
    "compiled": prefixed("_orig_mod.net.main.", BARE),
    "compiled and parallel": prefixed("module._orig_mod.", BARE),
    "nested sequences": prefixed("gen.", NESTED.state_dict()),
    "decoder beside an encoder": prefixed("decoder.", BARE) | prefixed("encoder.", DISCRIMINATOR),
    "averaged of two": {"nets": {"w": {k: t + 1 for k, t in BARE.items()}, "w_ema": BARE}},
    "Generator": {"Generator": BARE, "Critic": DISCRIMINATOR},
    "a list": [BARE, {}, 3, DISCRIMINATOR],
    "among other things": {"epoch": 3, **prefixed("main.", BARE), "loss": [0.5], "name": "x"},
    "whole": network(TUTORIAL, nn.ReLU(), nn.Tanh()),
    "whole, in a checkpoint": {"model": nn.DataParallel(network(TUTORIAL, nn.ReLU(), nn.Tanh())), "epoch": 3},
    "whole, nested": NESTED,
    "whole, reshaping": nn.Sequential(nn.Unflatten(1, (5, 1, 1)), *network(TUTORIAL, nn.ReLU(), nn.Tanh())),
    "whole, of a class": Net(network(TUTORIAL, nn.ReLU(), nn.Tanh())),
    "whole, in a list": [0.5, Net(network(TUTORIAL, nn.ReLU(), nn.Tanh()))],
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_names_and_containers(tmp_path, name):
    (tmp_path / "a.pth").write_bytes(saved(CONTAINERS[name], zipped=len(name) % 2 == 0))
    G = gg.load(convert("dcgan-tutorial", tmp_path / "a.pth", tmp_path / "model", say=lambda _: None))
    assert_same(G, network(TUTORIAL, nn.ReLU(), nn.Tanh()))


def test_the_end_of_a_class_is_assumed(tmp_path):
    """What ``forward`` does behind its modules is program text, which is not read."""
    (tmp_path / "a.pth").write_bytes(saved(Net(network(TUTORIAL, nn.ReLU(), None))))
    folder = convert("dcgan-tutorial", tmp_path / "a.pth", tmp_path / "model", say=lambda _: None)
    assert gg.zoo.card(folder)["assumed"] == {
        "forward": "Net runs its layers one after the other, and nothing else",
        "output": "tanh",
    }
    assert_same(gg.load(folder), network(TUTORIAL, nn.ReLU(), nn.Tanh()))


def test_two_networks_that_fit_are_not_chosen_from(tmp_path):
    other = {name: tensor + 1 for name, tensor in BARE.items()}
    (tmp_path / "a.pth").write_bytes(saved({"A": BARE, "B": other}))
    with pytest.raises(OptionError, match=r"2 networks that fit, A, B, .*--option network=B\."):
        convert("dcgan-tutorial", tmp_path / "a.pth", tmp_path / "model")
    G = gg.load(convert("dcgan-tutorial", tmp_path / "a.pth", tmp_path / "model", {"network": "A"}))
    (tmp_path / "alone.pth").write_bytes(saved(BARE))
    alone = gg.load(convert("dcgan-tutorial", tmp_path / "alone.pth", tmp_path / "alone"))
    np.testing.assert_array_equal(G(np.ones(G.latent_dim)), alone(np.ones(G.latent_dim)))


BETWEEN = {
    "dropout": (
        lambda net: nn.Sequential(*net[:3], nn.Dropout2d(), *net[3:]),
        "main.4 the file has main.1;",
    ),
    "upsampling": (lambda net: nn.Sequential(*net[:3], nn.Upsample(scale_factor=2), *net[3:]), "main.0 and main.4"),
    "the activation first": (lambda net: nn.Sequential(net[0], net[2], net[1], *net[3:]), "the file has main.2;"),
    "no activation": (lambda net: nn.Sequential(*net[:5], *net[6:]), "between main.3 and main.5"),
    "two norms": (lambda net: nn.Sequential(*net[:2], *net[1:]), "the file has main.1, main.2;"),
    "no norm, two things": (lambda net: nn.Sequential(net[0], *[nn.ReLU()] * 2, *net[3:]), "the file has nothing;"),
}


@pytest.mark.parametrize("name", BETWEEN)
def test_what_lies_between_the_layers_is_not_guessed(tmp_path, name):
    change, says = BETWEEN[name]
    module = change(network(TUTORIAL, nn.ReLU(), nn.Tanh())).eval()
    (tmp_path / "a.pth").write_bytes(saved(prefixed("main.", module.state_dict())))
    with pytest.raises(CheckpointError, match=rf"(?s){says}.*convert the whole module, torch\.save\(model, FILE\)"):
        convert("dcgan-tutorial", tmp_path / "a.pth", tmp_path / "model")
    (tmp_path / "whole.pth").write_bytes(saved(module))
    if name == "dropout":
        assert_same(gg.load(convert("dcgan-tutorial", tmp_path / "whole.pth", tmp_path / "model")), module)
    else:
        with pytest.raises(CheckpointError, match="own_generator"):
            convert("dcgan-tutorial", tmp_path / "whole.pth", tmp_path / "model")


def test_layers_without_norms(tmp_path):
    layers = network(TUTORIAL, nn.ReLU(), nn.Tanh(), bias=True)
    module = nn.Sequential(*(layer for layer in layers if not isinstance(layer, nn.BatchNorm2d)))
    for tree in (module, module.state_dict()):
        (tmp_path / "a.pth").write_bytes(saved(tree))
        assert_same(gg.load(convert("dcgan-tutorial", tmp_path / "a.pth", tmp_path / "model")), module)


def test_a_conditional_network_is_not_taken_for_a_plain_one(tmp_path):
    (tmp_path / "a.pth").write_bytes(saved(prefixed("gen.", BARE) | {"label_emb.weight": torch.ones(10, 5)}))
    with pytest.raises(CheckpointError, match=r"left over: label_emb\.weight"):
        convert("dcgan-tutorial", tmp_path / "a.pth", tmp_path / "model")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_is_refused(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    tree = {"netG": tutorial_dcgan(3, (4,), 1).state_dict(), "opt": Harmful()}
    (tmp_path / "a.pth").write_bytes(saved(tree, zipped))
    with pytest.raises(CheckpointError, match=r"system, which is not data"):
        convert("dcgan-tutorial", tmp_path / "a.pth", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]
