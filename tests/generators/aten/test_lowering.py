"""Lowered programs: the same function in our layers, and only where it is the same."""

from __future__ import annotations

import numpy as np
import pytest

import geomgan as gg
from geomgan.generators.aten import Aten, Node, Program, Value, Weight
from geomgan.generators.aten.layers import LAYERS
from geomgan.generators.aten.layout import KEEPING
from geomgan.generators.aten.lowering import lowered
from geomgan.generators.aten.operators import OPERATORS
from geomgan.generators.aten.program import Tensor
from geomgan.generators.aten.weights import stored
from geomgan.generators.prepared import kernels_used
from tests.fixtures import assert_close
from tests.generators.aten.drawn import Drawing, dcgan
from weights_convert.families.dcgan_tutorial import convert as native
from weights_convert.modules import StateDict
from weights_convert.options import Options


def both(drawing, output):
    """The lowered program and weights, after its samples and activations are those of the plain one."""
    plain = stored(drawing.program(output), drawing.tensors)
    low = lowered(*plain)
    z = np.random.default_rng(1).standard_normal(plain[0].latent_dim).astype("f4")
    theirs, ours = (gg.Generator.from_module(Aten(p), w, p.latent_dim, output_range=None) for p, w in (plain, low))
    assert_close(ours(z), theirs(z), 2e-6)
    expected, found = theirs.activations(z), ours.activations(z)
    assert set(found) <= set(expected)
    for name, value in found.items():
        assert_close(value, expected[name], 2e-6)
    assert Program.from_json(low[0].to_json()) == low[0]
    return low


def operators(program):
    return [node.operator.removeprefix("geomgan.") for node in program.nodes]


def test_a_dcgan_becomes_what_the_native_family_is():
    drawing, program = dcgan(6, (8, 8))
    low, weights = both(drawing, program.output)
    assert operators(low) == [
        "transposed_convolve",
        "relu",
        "transposed_convolve",
        "relu",
        "transposed_convolve",
        "tanh",
    ]
    assert [node.name for node in low.nodes][:2] == ["batch_norm_1", "relu_2"]  # each value by the name of what it is
    assert list(weights) == ["main.0.weight", "main.1.bias", "main.3.weight", "main.4.bias", "main.6.weight"]
    family = gg.models.families.FAMILIES["dcgan-tutorial"]
    theirs = native(family, {"": StateDict(drawing.tensors)}, Options({}, {})).params["generator"]
    for ours, block in (("main.0", "block1"), ("main.3", "block2"), ("main.6", "output")):
        np.testing.assert_array_equal(weights[f"{ours}.weight"], theirs[block]["kernel"])
    np.testing.assert_array_equal(weights["main.4.bias"], theirs["block2"]["bias"])


def test_wide_kernels_are_prepared_as_those_of_the_native_family():
    drawing, program = dcgan(4, (96, 96, 96))
    low, weights = lowered(*stored(program, drawing.tensors))
    G = gg.Generator.from_module(Aten(low), weights, 4)
    uses = kernels_used(G.function, G.params, np.zeros(4, "f4"))
    names = sorted(weights)
    assert [(names[leaf], scheme) for leaf, scheme, _ in uses] == [
        ("main.3.weight", "transposed_4"),
        ("main.6.weight", "transposed_4"),
    ]


def test_upsampling_goes_into_the_convolution_behind_it_and_residuals_stay_channels_last():
    d = Drawing(8)
    x = d("view", d.layer("linear", d.code, "fc", 6 * 4 * 4, 8), (1, 6, 4, 4))
    h = d("relu", d.norm(x, "norm", 6))
    up = d("upsample_nearest2d.vec", h, None, (2.0, 2.0))
    h = d.layer("conv2d", up, "conv", 5, 6, 3, 3, padding=(1, 1))
    h = d.layer("conv2d", d("leaky_relu", d.norm(h, "inner", 5), 0.2), "last", 5, 5, 3, 3, padding="same")
    skip = d.layer("conv2d", d("upsample_nearest2d.vec", x, None, (2.0, 2.0)), "skip", 5, 6, 1, 1)
    gain = d.weight("gain", 5, 1, 1)
    low, _ = both(d, d("tanh", d("mul", d("add", h, skip, alpha=2), gain)))
    made = operators(low)
    assert made.count("upsample_convolve") == 2
    assert "upsample_nearest2d.vec" not in made
    assert made.count("affine") == 1  # the one that reads a view; the other is in its convolution
    assert made.count("convolve") == 1


@pytest.mark.parametrize("case", ["two takers", "the sample itself", "another axis", "groups", "a value as its weight"])
def test_a_norm_that_is_not_of_the_layer_before_it_stays(case):
    d = Drawing(4, 6, 6)
    x = d.layer("conv2d", d.code, "conv", 4, 2 if case == "groups" else 4, 3, 3, groups=2 if case == "groups" else 1)
    if case == "another axis":  # a linear layer of 4 outputs on 4 channels of 16 and 4 numbers
        x = d.layer("linear", d("reshape", x, (1, 4, 4, 4)), "linear", 4, 4)
    if case == "a value as its weight":
        x = d("conv2d", d.code, d("reshape", d("slice", d.code, 2, 0, 4), (4, 4, 6, 1)), None)
    y = d.norm(x, "norm", 4)
    if case in ("two takers", "the sample itself"):
        y = d("add", y, x)
    low, _ = both(d, y)
    assert any(name in operators(low) for name in ("affine", "batch_norm"))


def test_what_is_no_layer_of_ours_is_left():
    """Groups, dilation, unequal strides, three axes, more padding than the kernel has."""
    d = Drawing(4, 8, 8)
    x = d.layer("conv2d", d.code, "grouped", 4, 2, 3, 3, padding=1, groups=2)
    x = d.layer("conv2d", x, "dilated", 4, 4, 3, 3, dilation=2)
    x = d.layer("conv_transpose2d", x, "wide", 4, 4, 2, 2, padding=2, stride=3)
    x = d.layer("conv2d", x, "stretched", 4, 4, 3, 3, stride=(1, 2), padding=(0, 1))
    x = d.layer("conv2d", x, "rectangular", 4, 4, 1, 3, padding=(1, 0))
    x = d.layer("conv_transpose2d", x, "tall", 4, 4, 3, 1, stride=2)
    volume = d("reshape", d("slice", d("flatten", x, 1), 1, 0, 64), (1, 1, 4, 4, 4))
    low, _ = both(d, d.layer("conv3d", volume, "volume", 2, 1, 3, 3, 3))
    assert operators(low).count("convolve") == 1  # the rectangular one
    assert "transposed_convolve" not in operators(low)


def test_operators_that_keep_a_layout_are_there():
    assert OPERATORS.keys() >= KEEPING
    assert not LAYERS.keys() & OPERATORS.keys()


def test_values_of_other_shapes_meet_in_torchs_layout():
    """A batch from broadcasting, a value of more axes, a mask, a scalar."""
    d = Drawing(4, 3, 3)
    x = d.layer("conv2d", d.code, "conv", 4, 4, 3, 3, padding=1)
    x = d("where", d("gt", x, 0), x, d("mul", d.weight("scalar"), d("mul", x, d.weight("map", 3, 3))))
    five = d("add", x, d.weight("five", 2, 1, 4, 3, 3))
    batch = d("mul", x, d.weight("batch", 3, 4, 1, 1))
    both(d, d("add", d("sum", five), batch))


def test_signals_of_one_axis():
    d = Drawing(3, 5)
    x = d.layer("conv_transpose1d", d.code, "up", 3, 4, 4, stride=(2,), padding=(1,), output_padding=(1,))
    x = d.layer("conv1d", d("tanh", x), "conv", 2, 4, 5, padding=(2,))
    low, _ = both(d, x)
    assert operators(low) == ["transposed_convolve", "tanh", "convolve"]


def test_what_depends_on_weights_alone_is_computed_once():
    """Weight norm, and the spectral norm of ``torch.nn.utils.parametrizations`` as its graph has it."""
    d = Drawing(4)
    v = d.weight("a.v", 5, 4)
    x = d("linear", d.code, d("_weight_norm", v, d.weight("a.g", 5, 1), 0))
    w = d.weight("b.original", 3, 5)
    left, right = d.weight("b._u", 3), d.weight("b._v", 5)
    sigma = d("dot", left, d("mv", w, right))
    x = d("linear", x, d("div", w, sigma))
    grid = d("mul", d("arange", 3, dtype="float32"), 2.0)
    low, weights = both(d, d("add", x, grid))
    assert operators(low) == ["dense", "dense", "add"]
    assert list(weights)[:2] == ["a.v", "b.original"]  # what they are of keeps its name
    u, s, o = (d.tensors[f"b.{part}"].astype("f8") for part in ("_u", "_v", "original"))
    assert_close(weights["b.original"], (o / (u @ o @ s)).T, 1e-6)
    assert sorted(weights.values(), key=np.size)[0].tolist() == [0, 2, 4]


def test_decomposed_graphs_have_the_same_layers():
    """``convolution`` and the norm with empty statistics, and a slice to the end of time."""
    d = Drawing(4, 5, 5)
    x = d("convolution", d.code, d.weight("c.weight", 4, 4, 3, 3), None, (1, 1), (1, 1), (1, 1), False, (0, 0), 1)
    d.norm(x, "norm", 4)
    norm = d.nodes.pop()
    *first, _, momentum, epsilon, _ = norm.arguments
    d.nodes.append(Node("", "_native_batch_norm_legit_no_training", (*first, momentum, epsilon), (), ("norm", "", "")))
    low, _ = both(d, d("slice", Value("norm"), 2, 1, 2**63 - 1))
    assert operators(low) == ["convolve", "slice"]
    assert low.nodes[1].arguments[3] is None


def test_a_weight_of_two_layers_stays_what_it_is_for_others():
    d = Drawing(4, 5, 5)
    w = d.weight("shared.weight", 4, 4, 1, 1)
    x = d("conv2d", d.code, w, None)
    low, weights = both(d, d("add", d("conv2d", x, w, None), d("sum", w)))
    assert operators(low) == ["convolve", "convolve", "add"]
    assert {array.shape for array in weights.values()} == {(1, 1, 4, 4), ()}


def test_weights_may_have_any_name():
    """Also those that Flax modules have for their own."""
    program = Program(
        (Tensor("z", (1, 2)),),
        (Tensor("init", (1, 2)),),
        (Node("path", "add", (Value("z"), Weight("init"))),),
        Value("path"),
    )
    G = gg.Generator.from_module(Aten(program), {"init": np.ones((1, 2), "f4")}, 2)
    assert G(np.ones(2, "f4")).tolist() == [2, 2]
    with pytest.raises(ValueError, match=r"the weight init has the shape \(3,\); expected \(1, 2\)"):
        gg.Generator.from_module(Aten(program), {"init": np.ones(3, "f4")}, 2)


def test_nothing_is_computed_of_what_would_be_too_large():
    drawing = Drawing(2)
    huge = drawing("full", (2**14, 2**15), 1.0)
    program = drawing.program(drawing("add", drawing.code, drawing("sum", huge)))
    with pytest.raises(ValueError, match=r"full at full_0 makes 536870912 numbers; expected at most 268435456"):
        lowered(*stored(program, {}))
    grown = Drawing(2)
    large = grown("expand", grown.weight("one", 1, 1), (2**11, 2**11))  # 4 million numbers of one: stays a node
    low, weights = lowered(*stored(grown.program(grown("add", grown.code, grown("sum", large))), grown.tensors))
    assert operators(low)[0] == "expand"
    assert [array.size for array in weights.values()] == [1]
