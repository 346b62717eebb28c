"""Every layer of the table equals torch's, with its attributes as a saved module has them."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import torch
from torch import nn

from geomgan.errors import CheckpointError, OptionError
from geomgan.generators.aten.run import run
from tests.weights_convert.torch_saved import saved
from weights_convert.files import read_file
from weights_convert.modules import StateDict
from weights_convert.torch_modules import LAYERS, Line, traced
from weights_convert.torch_modules.weight_norms import folded

MAPS = {1: (4, 9), 2: (4, 7, 9), 3: (4, 5, 6, 7)}  # channels and sides


def trained(module: nn.Module) -> nn.Module:
    """The module in evaluation, with numbers in everything that has any."""
    generator = torch.Generator().manual_seed(0)
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            tensor.data = torch.rand(tensor.shape, generator=generator) * 0.8 + 0.2
    return module.eval()


def convolutions():
    for n in (1, 2, 3):
        conv, up = getattr(nn, f"Conv{n}d"), getattr(nn, f"ConvTranspose{n}d")
        yield conv(4, 6, 3), MAPS[n]
        yield conv(4, 6, 3, 2, 1, dilation=2, groups=2, bias=False), MAPS[n]
        yield conv(4, 4, (2, 3, 2)[:n], padding="same"), MAPS[n]
        yield up(4, 6, 3), MAPS[n]
        yield up(4, 6, (3, 4, 2)[:n], 2, 1, output_padding=1, groups=2, dilation=(2, 1, 2)[:n]), MAPS[n]
        for mode in ("reflect", "replicate", "circular"):
            yield conv(4, 2, 3, padding=(2, 1, 0)[:n], padding_mode=mode), MAPS[n]
    yield nn.Conv2d(4, 2, (2, 3), padding="same", dilation=(3, 2), padding_mode="replicate"), MAPS[2]
    yield nn.Conv2d(4, 2, 3, padding="valid", padding_mode="reflect"), MAPS[2]
    yield nn.Linear(9, 5), (9,)
    yield nn.Linear(9, 5, bias=False), (3, 9)


def norms():
    for n in (1, 2, 3):
        batch, instance = getattr(nn, f"BatchNorm{n}d"), getattr(nn, f"InstanceNorm{n}d")
        yield batch(4, eps=0.3), MAPS[n]
        yield batch(4, affine=False), MAPS[n]
        yield batch(4, track_running_stats=False), MAPS[n]
        yield instance(4), MAPS[n]
        yield instance(4, affine=True, eps=0.1), MAPS[n]
        yield instance(4, affine=True, track_running_stats=True), MAPS[n]
        yield nn.GroupNorm(2, 4, eps=0.2), MAPS[n]
    yield nn.BatchNorm1d(9), (9,)
    yield nn.GroupNorm(2, 4, affine=False), MAPS[2]
    yield nn.LayerNorm((7, 9), eps=0.1), MAPS[2]
    yield nn.LayerNorm(9, bias=False), MAPS[1]
    yield nn.LayerNorm((4, 9), elementwise_affine=False), MAPS[1]
    yield nn.RMSNorm(9), MAPS[1]
    yield nn.RMSNorm((7, 9), eps=0.1, elementwise_affine=False), MAPS[2]


def activations():
    for kind in ("ReLU", "ReLU6", "SELU", "SiLU", "Mish", "Sigmoid", "LogSigmoid", "Tanh", "Hardsigmoid", "Hardswish"):
        yield getattr(nn, kind)(), (12,)
    for module in (
        *(nn.LeakyReLU(0.3), nn.ELU(0.7), nn.CELU(0.7), nn.Hardtanh(-0.5, 0.7), nn.Softplus(2.0, 1.0), nn.GLU()),
        *(nn.GLU(1), nn.GELU(), nn.GELU("tanh"), nn.Softmax(1), nn.Softmax(), nn.Softsign(), nn.Tanhshrink()),
        *(nn.PReLU(), nn.PReLU(12), nn.Identity(), nn.Dropout(), nn.AlphaDropout()),
    ):
        yield module, (12,)
    yield nn.Softmax2d(), MAPS[2]
    yield nn.PReLU(4), MAPS[2]
    yield nn.Dropout2d(), MAPS[2]


def resampling():
    for n, mode in {1: "linear", 2: "bilinear", 3: "trilinear"}.items():
        yield nn.Upsample(scale_factor=2), MAPS[n]
        yield nn.Upsample(scale_factor=(1.5, 2.5, 2.0)[:n], mode=mode), MAPS[n]
        pad = (1, 2, 0, 1, 2, 1)[: 2 * n]
        for name in ("Reflection", "Replication", "Zero", "Circular"):
            yield getattr(nn, f"{name}Pad{n}d")(pad), MAPS[n]
        yield getattr(nn, f"ConstantPad{n}d")(pad, 0.3), MAPS[n]
        yield getattr(nn, f"MaxPool{n}d")(3, 2, 1, ceil_mode=True), MAPS[n]
        yield getattr(nn, f"AvgPool{n}d")(3, 2, 1, count_include_pad=False), MAPS[n]
        yield getattr(nn, f"AvgPool{n}d")(2), MAPS[n]
        yield getattr(nn, f"AdaptiveAvgPool{n}d")(3), MAPS[n]
    yield nn.Upsample(scale_factor=1.7, mode="bilinear", recompute_scale_factor=True), MAPS[2]
    yield nn.Upsample(size=(6, 11), mode="bicubic", align_corners=True), MAPS[2]
    yield nn.Upsample(size=5, mode="nearest-exact"), MAPS[2]
    yield nn.Upsample(scale_factor=2, mode="area"), MAPS[2]
    yield nn.UpsamplingNearest2d(scale_factor=2), MAPS[2]
    yield nn.UpsamplingBilinear2d(scale_factor=2), MAPS[2]
    yield nn.PixelShuffle(2), MAPS[2]
    yield nn.PixelUnshuffle(2), (4, 6, 8)
    yield nn.Flatten(), MAPS[2]
    yield nn.Flatten(2), MAPS[3]
    yield nn.Unflatten(1, (2, 2)), MAPS[2]
    yield nn.Unflatten(1, (-1, 2)), MAPS[1]


def differences(cases, tmp_path) -> list[tuple[float, str]]:
    """How far each module's output is from torch's, relative to the largest number."""
    cases = [(trained(module), shape) for module, shape in cases]
    state = read_file(saved(nn.ModuleList([module for module, _ in cases]), path=tmp_path / "net.pt"))
    found = []
    for i, (module, shape) in enumerate(cases):
        part = state.parts[str(i)]
        program = traced([Line("Code", "", {"shape": shape}), Line(part.kind, str(i), part.attributes)], state).program
        x = torch.randn(1, *shape, generator=torch.Generator().manual_seed(i))
        with torch.no_grad():
            theirs = module(x).numpy()
        weights = {weight.name: state[weight.name] for weight in program.weights}
        output = jax.jit(lambda x, w, program=program: run(program, [x], w)[program.output.name])
        ours = np.asarray(output(x.numpy(), weights))
        assert ours.shape == theirs.shape, module
        found.append((float(np.abs(ours - theirs).max() / np.abs(theirs).max()), str(module)))
    return found


@pytest.mark.parametrize("cases", [convolutions, norms, activations, resampling])
@pytest.mark.filterwarnings("ignore:Implicit dimension choice", "ignore:The default behavior for interpolate")
def test_layers_are_torchs(cases, tmp_path):
    worst = max(differences(cases(), tmp_path))
    assert worst[0] < 1e-5, worst


def test_no_layer_is_left_out():  # the steps are tried by the next test
    tried = {type(m).__name__ for group in (convolutions, norms, activations, resampling) for m, _ in group()}
    steps = {
        "Embedding",
        "OneHot",
        "Code",
        "Class",
        "View",
        "Keep",
        "From",
        "Concat",
        "Add",
        "Multiply",
    }  # of the next test
    assert set(LAYERS) - tried - steps <= {f"Dropout{n}d" for n in (1, 3)} | {"FeatureAlphaDropout"}


def test_steps_of_a_forward():
    rng = np.random.default_rng(0)
    tensors = StateDict({"label.weight": rng.standard_normal((5, 3)), "out.weight": rng.standard_normal((6, 7))})
    lines = [
        Line("Class"),
        Line("Keep", "c"),
        Line("Embedding", "label"),
        Line("Keep", "y"),
        Line("Code", "", {"shape": (3,)}),
        Line("Keep", "z"),
        Line("Multiply", "y"),
        Line("Add", "z"),
        Line("Concat", "y"),
        Line("Keep", "both"),
        Line("From", "c"),
        Line("OneHot", "", {"num_classes": 5}),
        Line("Concat", "both"),
        Line("Keep", "both"),
        Line("From", "z"),
        Line("View", "", {"shape": (1, -1)}),
        Line("From", "both"),
        Line("View", "", {"shape": (1, 11)}),
    ]
    network = traced(lines, tensors)
    z, y = np.array([0.1, 0.2, 0.3], np.float32), tensors["label.weight"][4]
    out = run(network.program, [z, np.array([4])], {k: v.astype(np.float32) for k, v in tensors.items()})
    expected = np.concatenate([[0, 0, 0, 0, 1], z * y + z, y]).reshape(1, 1, 11)
    np.testing.assert_allclose(out[network.program.output.name], expected, rtol=1e-6)
    assert [t.name for t in network.program.inputs] == ["code", "class_index"]
    assert network.shapes[-2:] == ((11,), (1, 11))


WRONG = {
    "nothing goes in": ([Line("ReLU")], "nothing comes before it"),
    "kind": ([Line("Code", "", {"shape": 3}), Line("Linaer", "a")], "Did you mean 'Linear'"),
    "value": ([Line("Code", "", {"shape": 3}), Line("LeakyReLU", "", {"negative_slope": "x"})], "negative_slope='x'"),
    "lacks": ([Line("Code", "", {"shape": (4, 3, 3)}), Line("PixelShuffle")], "lacks its upscale_factor"),
    "no tensor": ([Line("Code", "", {"shape": 3}), Line("Linear", "b")], "the file has no b.weight"),
    "sizes": ([Line("Code", "", {"shape": 4}), Line("Linear", "a")], r"Linear a does not fit \(4,\).*weight: \(2, 3\)"),
    "maps": ([Line("Code", "", {"shape": 3}), Line("MaxPool2d", "", {"kernel_size": 2})], r"takes maps \(C, H, W\)"),
    "view": ([Line("Code", "", {"shape": 3}), Line("View", "", {"shape": (2, 2)})], "cannot be viewed"),
    "kept": ([Line("Code", "", {"shape": 3}), Line("Add", "y")], "no line `Keep y`"),
    "twice": ([Line("Code", "", {"shape": 3}), Line("Code", "", {"shape": 3})], "has its input code already"),
    "class": ([Line("Code", "", {"shape": 3}), Line("Embedding", "a")], "the line `Class`"),
    "huge": (
        [Line("Code", "", {"shape": (1, 9, 9)}), Line("Upsample", "", {"size": (1 << 19, 1 << 19)})],
        "Upsample does not fit",
    ),
    "no side": ([Line("Code", "", {"shape": (1, 2, 2)}), Line("AvgPool2d", "", {"kernel_size": 5})], "does not fit"),
    "output padding": (
        [Line("Code", "", {"shape": (1, 2, 2)}), Line("ConvTranspose2d", "c", {"output_padding": 3})],
        "output_padding 3 is not less",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_lines_that_do_not_fit_are_named(case):
    lines, says = WRONG[case]
    tensors = StateDict({"a.weight": np.ones((2, 3)), "c.weight": np.ones((1, 1, 2, 2))})
    with pytest.raises((CheckpointError, OptionError), match=says):
        traced(lines, tensors)


def spectral(module: nn.Module, old: bool) -> nn.Module:
    return (nn.utils.spectral_norm if old else nn.utils.parametrizations.spectral_norm)(module)


def weighted(module: nn.Module, old: bool) -> nn.Module:
    return (nn.utils.weight_norm if old else nn.utils.parametrizations.weight_norm)(module)


@pytest.mark.parametrize("old", [True, False], ids=["hooks", "parametrizations"])
@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning", "ignore:.*weight_norm:DeprecationWarning")
def test_norms_of_weights_are_folded(old):
    made = {
        "a": spectral(nn.Linear(5, 3), old),
        "b": spectral(nn.Conv2d(4, 4, 3), old),
        "c": spectral(nn.ConvTranspose2d(4, 4, 3), old),
        "d": weighted(nn.Conv1d(4, 2, 3), old),
        "e": weighted(nn.ConvTranspose2d(4, 2, 3), old),
        "f": nn.Linear(3, 3),
    }
    inputs = {"a": (5,), "b": (4, 5, 5), "c": (4, 5, 5), "d": (4, 5), "e": (4, 5, 5), "f": (3,)}
    net = nn.ModuleDict(made)
    for name in inputs:  # spectral norm has its vectors of a step of training
        net[name](torch.randn(1, *inputs[name]))
    net.eval()
    for name, module in net.items():
        module(torch.randn(1, *inputs[name]))
    state = StateDict({name: tensor.detach().numpy() for name, tensor in net.state_dict().items()})
    plain = folded(state, ("c", "e"))
    assert set(plain) == {f"{name}.{part}" for name in inputs for part in ("weight", "bias")}
    for name, module in net.items():
        np.testing.assert_allclose(plain[f"{name}.weight"], module.weight.detach().numpy(), rtol=2e-5, atol=1e-7)


def test_norms_of_weights_that_do_not_fit():
    with pytest.raises(CheckpointError, match=r"a\.weight has a direction"):
        folded(StateDict({"a.weight_g": np.ones((3, 1)), "a.weight_v": np.ones((2, 2))}))
    with pytest.raises(CheckpointError, match="does not fit its vectors"):
        folded(StateDict({"a.weight_orig": np.ones((3, 2)), "a.weight_u": np.ones(5)}))
