"""The table of a converter and its layout rules, against torch layers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import spectral_norm

from geomgan.errors import CheckpointError
from geomgan.generators.layers import Conv, ConvTranspose, Dense
from geomgan.generators.layouts import flush_denormals
from tests.fixtures import assert_close
from tests.weights_convert.torch_models import randomise
from weights_convert.table import Layer, Tensor, fill, shapes

# --- Layout rules ---


def batch(*shape: int) -> torch.Tensor:
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(2))


def last(x: torch.Tensor) -> np.ndarray:
    """Channels last, where there are pixels."""
    return x.movedim(1, -1).numpy() if x.ndim == 4 else x.numpy()


def our_map(x: np.ndarray) -> np.ndarray:
    """Rows that begin with a map of 4 channels and 3 x 3 pixels, flattened by torch: the same, channels last."""
    pixels = x[:, :36].reshape(-1, 4, 3, 3).transpose(0, 2, 3, 1).reshape(-1, 36)
    return np.concatenate([pixels, x[:, 36:]], 1)


CASES = {  # torch's layer, our module, the input's shape, the rule, the map's sides
    "dense": (lambda b: nn.Linear(5, 7, bias=b), Dense(7), (5,), 0),
    "dense_to_map": (lambda b: nn.Linear(5, 36, bias=b), Dense(36), (5,), (3, 3)),
    "dense_from_map": (lambda b: nn.Linear(38, 6, bias=b), Dense(6), (38,), (3, 3)),
    "conv": (lambda b: nn.Conv2d(3, 4, (4, 4), 2, 1, bias=b), Conv(4, 4, 2, 1), (3, 8, 8), ()),
    "conv_transpose": (lambda b: nn.ConvTranspose2d(3, 4, 4, 2, 1, bias=b), ConvTranspose(4, 4, 2, 1), (3, 5, 5), ()),
}


@pytest.mark.parametrize(
    ("norm", "spectral", "bias"),
    [(False, False, True), (True, True, True), (True, False, False), (False, True, False)],
    ids=["plain", "batch norm and spectral norm", "batch norm, no bias", "spectral norm, no bias"],
)
@pytest.mark.parametrize("layout", CASES)
def test_layout_rules_equal_torch(layout, norm, spectral, bias):
    make, ours, shape, spatial = CASES[layout]
    layer = spectral_norm(make(bias)) if spectral else make(bias)
    width = layer.bias.shape[0] if bias else make(True).bias.shape[0]
    bn = (nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d)(width) if norm else nn.Identity()
    net = randomise(nn.Sequential(layer, bn))
    x = batch(*shape)
    with torch.no_grad():
        theirs = last(net(x))
    if layout == "dense_to_map":
        theirs = our_map(theirs)
    inputs = our_map(x.numpy()) if layout == "dense_from_map" else last(x)
    kind, behind = "stored" if spectral else "", "1" if norm else None
    row = Layer("layer", "0", layout, norm=behind, spectral_norm=kind, spatial=spatial, bias=bias)
    tensors = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    params = fill(tensors, [row], {"layer": shapes(ours, inputs.shape[1:])}, "one layer")["layer"]
    assert_close(jax.vmap(lambda x: ours.apply({"params": params}, x))(jnp.asarray(inputs)), theirs, 1e-5)


@pytest.mark.parametrize("epsilon", [1e-12, 1e-5, 1e-3, 0.05, 0.8])
@pytest.mark.parametrize("layout", CASES)
def test_the_epsilon_of_a_norm(layout, epsilon):
    make, ours, shape, spatial = CASES[layout]
    layer = make(True)
    norm = (nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d)(layer.bias.shape[0], epsilon)
    net, x = randomise(nn.Sequential(layer, norm)), batch(*shape)
    net[1].running_var.mul_(0.1)
    with torch.no_grad():
        theirs = last(net(x))
    if layout == "dense_to_map":
        theirs = our_map(theirs)
    inputs = our_map(x.numpy()) if layout == "dense_from_map" else last(x)
    row = Layer("layer", "0", layout, norm="1", spatial=spatial, epsilon=epsilon)
    tensors = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    params = fill(tensors, [row], {"layer": shapes(ours, inputs.shape[1:])}, "one layer")["layer"]
    assert_close(jax.vmap(lambda x: ours.apply({"params": params}, x))(jnp.asarray(inputs)), theirs, 1e-5)


def test_spectral_norm_of_a_transposed_convolution_divides_by_the_norm_over_its_outputs():
    """After training steps the stored vectors are the singular ones: our kernel's largest singular value is 1."""
    torch.manual_seed(0)
    layer = spectral_norm(nn.ConvTranspose2d(6, 4, 3, 2), n_power_iterations=200)
    layer(torch.ones(1, 6, 4, 4))
    tensors = {f"up.{name}": tensor.numpy() for name, tensor in layer.eval().state_dict().items()}
    row = Layer("layer", "up", "conv_transpose", spectral_norm="stored")
    kernel = fill(tensors, [row], {"layer": shapes(ConvTranspose(4, 3, 2), (4, 4, 6))}, "")["layer"]["kernel"]
    over_outputs = np.linalg.svd(kernel.reshape(-1, 4), compute_uv=False)[0]
    over_inputs = np.linalg.svd(kernel.transpose(2, 0, 1, 3).reshape(6, -1), compute_uv=False)[0]
    assert over_outputs == pytest.approx(1, abs=1e-5)
    assert abs(over_inputs - 1) > 0.01


def test_folding_is_done_in_float64():
    """A dead channel of a trained model: variance 1e-16 beside a kernel of 1e8, harmless if not rounded between."""
    tensors = {
        "a.weight": np.array([[1e8 + 8]], "f4"),
        "a.bias": np.array([1e8], "f4"),
        "n.weight": np.ones(1, "f4"),
        "n.bias": np.zeros(1, "f4"),
        "n.running_mean": np.array([1e8 - 8], "f4"),
        "n.running_var": np.array([1e-16], "f4"),
    }
    filled = fill(tensors, [Layer("d", "a", "dense", norm="n")], {"d": shapes(Dense(1), (1,))}, "")["d"]
    assert filled["bias"][0] == pytest.approx(8 / np.sqrt(1e-16 + 1e-5), rel=1e-6)


# --- Every tensor once, every parameter filled ---

ROWS = [Layer("first", "a", "dense"), Tensor("scale", "b.scale", transpose=True)]
TEMPLATE = {"first": {"kernel": np.zeros((2, 3)), "bias": np.zeros(3)}, "scale": np.zeros((2, 4))}


def good() -> dict[str, np.ndarray]:
    return {
        "a.weight": np.arange(6.0).reshape(3, 2),
        "a.bias": np.arange(3.0),
        "b.scale": np.arange(8.0).reshape(4, 2),
        "n.num_batches_tracked": np.array(7),
    }


def test_a_table_fills_every_parameter_in_float32():
    filled = fill(good(), ROWS, TEMPLATE, "a toy")
    np.testing.assert_array_equal(filled["first"]["kernel"], [[0, 2, 4], [1, 3, 5]])
    np.testing.assert_array_equal(filled["first"]["bias"], [0, 1, 2])
    np.testing.assert_array_equal(filled["scale"], [[0, 2, 4, 6], [1, 3, 5, 7]])
    assert {leaf.dtype for leaf in jax.tree.leaves(filled)} == {np.dtype("f4")}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"a.bias": None}, r"checkpoint of a toy: 1 tensors missing: a\.bias\. "),
        ({"a.weight": None, "b.scale": None}, r"2 tensors missing: a\.weight, b\.scale\. "),
        ({"c.weight": np.ones(1)}, r"1 tensors left over: c\.weight\. "),
        ({f"c.{i}": np.ones(1) for i in range(9)}, r"9 tensors left over: c\.0, .*c\.5, \.\.\.\. "),
        ({"a.weight": None, "a.kernel": np.ones((3, 2))}, r"missing: a\.weight; 1 tensors left over: a\.kernel"),
        ({"a.weight": np.ones((4, 2))}, r"published a gives first/kernel of shape \(2, 4\); expected \(2, 3\)"),
        ({"b.scale": np.ones((2, 4))}, r"published b\.scale gives scale of shape \(4, 2\); expected \(2, 4\)"),
        ({"a.weight": np.ones(())}, r"the tensors of a do not fit|shape \(\); expected"),
        ({"a.bias": np.array([1, np.nan, np.inf])}, r"first/bias .*2 NaN or infinite"),
        ({"a.weight": np.full((3, 2), 1e39)}, r"first/kernel .*6 NaN or infinite"),
    ],
)
def test_what_does_not_fit_is_named(change, says):
    tensors = {name: array for name, array in {**good(), **change}.items() if array is not None}
    with pytest.raises(CheckpointError, match=says):
        fill(tensors, ROWS, TEMPLATE, "a toy")


def test_a_table_that_leaves_a_parameter_empty_or_makes_another_is_refused():
    with pytest.raises(CheckpointError, match=r"not filled by the table: \['other'\]"):
        fill(good(), ROWS, TEMPLATE | {"other": np.zeros(1)}, "a toy")
    with pytest.raises(CheckpointError, match=r"gives scale of shape \(2, 4\); expected None"):
        fill(good(), ROWS, {"first": TEMPLATE["first"]}, "a toy")


def test_spectral_norm_tensors_that_do_not_fit_each_other_are_refused():
    tensors = {"a.weight_orig": np.ones((3, 2)), "a.weight_u": np.ones(3), "a.weight_v": np.ones(5)}
    with pytest.raises(CheckpointError, match="tensors of a do not fit each other"):
        fill(tensors, [Layer("first", "a", "dense", spectral_norm="stored", bias=False)], TEMPLATE, "a toy")


def test_denormals_are_flushed_and_nothing_else():
    tiny = np.finfo(np.float32).tiny
    x = np.array([0, 1e-45, -5.6e-45, tiny / 2, -tiny / 2, tiny, -tiny, 1e-30, -3], np.float64)
    np.testing.assert_array_equal(flush_denormals(x), np.array([0, 0, 0, 0, 0, tiny, -tiny, 1e-30, -3], "f4"))


@pytest.mark.parametrize(
    ("norm", "says"),
    [
        ((1000, 1), "norm has the shape .* for 1 outputs|do not fit each other"),
        ((3,), r"norm has the shape \(3,\) for 1 outputs"),
        ((), "norm has the shape"),
    ],
)
def test_a_norm_of_another_width_is_not_spread_over_the_weight(norm, says):
    parts = ("weight", "bias", "running_mean", "running_var")
    tensors = {
        "a.weight": np.ones((1, 1000)),
        "a.bias": np.ones(1),
        **{f"norm.{part}": np.ones(norm) for part in parts},
    }
    with pytest.raises(CheckpointError, match=says):
        fill(tensors, [Layer("a", "a", "dense", norm="norm")], {}, "it")
    tensors["norm.bias"] = np.ones((1, 5))
    with pytest.raises(CheckpointError, match="the parts of norm have different shapes"):
        fill(tensors, [Layer("a", "a", "dense", norm="norm")], {}, "it")


def test_a_vector_of_the_spectral_norm_with_two_axes_is_refused():
    tensors = {"a.weight_orig": np.ones((2, 3)), "a.weight_u": np.ones((9, 2)), "a.weight_v": np.ones(3)}
    with pytest.raises(CheckpointError, match="vectors of the spectral norm have several axes"):
        fill(tensors, [Layer("a", "a", "dense", spectral_norm="stored", bias=False)], {}, "it")


def test_a_small_file_of_a_huge_model_is_refused_before_anything_is_computed():
    template = {"a": jax.ShapeDtypeStruct((1 << 20, 1 << 20), np.float32)}
    with pytest.raises(
        CheckpointError, match="it of these widths has 1099511627776 parameters, but the file only 1 num"
    ):
        fill({"a": np.ones(1)}, [Tensor("a", "a")], template, "it")
