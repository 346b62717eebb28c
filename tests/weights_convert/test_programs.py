"""From a program and its weights to a model: options, inputs, ranges, and what is refused."""

from __future__ import annotations

from copy import copy

import numpy as np
import pytest

from geomgan.errors import CheckpointError, OptionError
from geomgan.models.build import build
from geomgan.models.families.torch_programs import OPTIONS
from tests.fixtures import assert_close
from tests.generators.aten.drawn import Drawing, dcgan
from weights_convert.options import Options
from weights_convert.programs import converted


def made(drawing, output, **said):
    options = Options(said, OPTIONS)
    return converted(drawing.program(output), drawing.tensors, options), options


def opened(converted, **options):
    return build({"family": "torch-export", **converted.card}, converted.params, None, "made", options)


def test_weights_are_in_single_precision_without_denormals():
    drawing, program = dcgan(3, (4,))
    drawing.tensors |= {"main.3.weight": drawing.tensors["main.3.weight"].astype("f2"), "unused": np.full(3, np.nan)}
    drawing.tensors["main.0.weight"] = drawing.tensors["main.0.weight"].astype("f8")
    drawing.tensors["main.0.weight"][0] = 1e-40
    result, options = made(drawing, program.output)
    weights = result.params["generator"]
    assert {array.dtype.name for array in weights.values()} == {"float32"}
    assert (weights["main.0.weight"] == 0).any()
    assert result.card["output_range"] == [-1, 1]
    assert result.card["config"]["latent_dim"] == 3
    assert not options.assumed
    assert opened(result).sample_shape.shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (lambda d, x: d("sigmoid", x), [0, 1]),
        (lambda d, x: d("div", d("add", d("tanh", x), 1), 2.0), [0, 1]),
        (lambda d, x: d("mul", d("rsub", d("sigmoid", x), 1.0), 255.0), [0, 255]),
        (lambda d, x: d("clamp", d("view", x, (1, 1, 4, 4)), 0, 1), [0, 1]),
        (lambda d, x: d("hardtanh", x), [-1, 1]),
        (lambda d, x: d("view", d("hardtanh", x, 0.0, 6.0), (1, 1, 4, 4)), [0, 6]),
    ],
)
def test_the_range_is_that_of_the_last_operators(end, expected):
    d = Drawing(3)
    result, options = made(d, end(d, d.layer("linear", d.code, "fc", 16, 3)))
    assert result.card["output_range"] == expected
    assert "output_range" not in options.assumed
    with pytest.raises(OptionError, match="but the file says"):
        made(d, d.value(d.nodes[-1].name), output_range="-7,7")


def test_a_range_that_nothing_tells_is_assumed_or_said():
    d = Drawing(3)
    x = d.layer("linear", d.code, "fc", 4, 3)
    assert made(d, x)[1].assumed == {"output_range": (-1.0, 1.0)}
    assert made(d, x, output_range="0,255")[0].card["output_range"] == [0, 255]
    for wrong in ("1,0", "0", "a,b", "0,nan", "0,inf"):
        with pytest.raises(OptionError, match=r"expected the range of the samples, LOW,HIGH"):
            made(d, x, output_range=wrong)


def test_a_flat_vector_becomes_an_image():
    d = Drawing(3)
    x = d.layer("linear", d.code, "fc", 3 * 16 * 32, 3)
    assert opened(made(d, x)[0]).sample_shape.shape == (1536,)
    result, options = made(d, x, shape="3x16x32")
    G = opened(result)
    z = np.ones(3, "f4")
    flat = d.tensors["fc.weight"] @ z + d.tensors["fc.bias"]
    assert_close(G(z), flat.reshape(3, 16, 32).transpose(1, 2, 0), 1e-6)
    assert "shape" not in options.assumed
    assert opened(made(d, x, shape="48x32")[0]).sample_shape.shape == (48, 32, 1)
    for wrong, says in (
        ("48x33", "has 1584 numbers; samples have 1536"),
        ("1536", "expected HEIGHTxWIDTH"),
        ("axb", ""),
    ):
        with pytest.raises(OptionError, match=says):
            made(d, x, shape=wrong)
    square = Drawing(3)
    result, options = made(square, square.layer("linear", square.code, "fc", 784, 3))
    assert opened(result).sample_shape.shape == (28, 28, 1)
    assert options.assumed["shape"] == "1x28x28"
    image = Drawing(3, 4, 4)
    with pytest.raises(OptionError, match=r"shape=4x4, but samples have one: \(3, 4, 4\)"):
        made(image, image("tanh", image.code), shape="4x4")


def conditional():
    d = Drawing(4, y="int64", noise="float32")
    table = d("embedding", d.weight("classes.weight", 5, 4), d.value("y"))
    return d, d("add", d("mul", d.code, table), d.value("noise"), alpha=0.1)


def test_whole_numbers_are_options_and_floats_are_weights():
    d, x = conditional()
    result, options = made(d, x, inputs="noise=normal")
    assert options.assumed["inputs"] == "y=0"
    assert result.card["config"]["inputs"] == {"y": 0}
    noise, table = result.params["generator"]["noise"], d.tensors["classes.weight"]
    assert 0 < abs(noise[0]) < 5
    z = np.arange(4, dtype="f4")
    for label in (0, 3):
        assert_close(opened(result, y=label)(z), z * table[label] + np.float32(0.1) * noise, 1e-6)
    with pytest.raises(OptionError, match="y=5; expected a whole number from 0 to 4"):
        opened(result, y=5)
    with pytest.raises(OptionError, match=r"y=1\.5; expected a whole number"):
        opened(result, y=1.5)
    with pytest.raises(TypeError, match=r"has no option class_index; it has y\."):
        opened(result, class_index=1)
    again, options = made(d, x, inputs="y=3, noise=0.5")
    assert_close(opened(again)(z), z * table[3] + np.float32(0.05), 1e-6)
    assert "inputs" not in options.assumed
    for inputs, says in (
        ("y=1", "Give --option inputs=noise=NUMBER, or noise=normal"),
        ("noise=loud", "inputs gives 'loud'"),
        ("noise=1,y=9", "y=9; expected a whole number from 0 to 4"),
        ("noise=1,y=x", "y='x'; expected a whole number"),
        ("nose=1", "inputs names 'nose'. Did you mean 'noise'"),
        ("noise", "expected NAME=VALUE"),
    ):
        with pytest.raises(OptionError, match=says):
            made(d, x, inputs=inputs)


def only(drawing, output):
    """The layer, and the node that makes the output."""
    few = copy(drawing)
    few.nodes = [node for node in drawing.nodes if node.operator == "linear" or node.name == output.name]
    return few


def test_what_is_no_generator_is_refused():
    d = Drawing(3)
    x = d.layer("linear", d.code, "fc", 4, 3)
    for change, says in (
        ({"fc.weight": np.ones((4, 4), "f4")}, r"fc\.weight has the shape \(4, 4\); the program says \(4, 3\)"),
        ({"fc.weight": np.ones((4, 3), "c8")}, "of type complex64; expected real numbers"),
        ({"fc.weight": np.full((4, 3), np.nan)}, "holds 12 NaN or infinite values"),
        ({"fc.weight": np.full((4, 3), 1e300)}, "holds 12 NaN or infinite values"),
    ):
        with pytest.raises(CheckpointError, match=says):
            converted(d.program(x), d.tensors | change, Options({}, OPTIONS))
    with pytest.raises(CheckpointError, match=r"takes a weight fc\.bias, which the file does not hold"):
        converted(d.program(x), {"fc.weight": d.tensors["fc.weight"]}, Options({}, OPTIONS))
    for output, says in (
        (d("gt", x, 0), "returns bool of shape"),
        (d("expand", x, (2, 4)), r"of shape \(2, 4\) for one code"),
        (d("matmul", x, x, name="square"), "matmul at square does not fit what it takes"),
    ):
        with pytest.raises(CheckpointError, match=says):
            made(only(d, output), output)
    huge = Drawing(2**21)
    with pytest.raises(CheckpointError, match="an input of 2097152 numbers; expected at most 1048576"):
        made(huge, huge("tanh", huge.code))
    several = Drawing()
    several.inputs = (several.inputs[0]._replace(shape=(2, 3)),)
    with pytest.raises(CheckpointError, match=r"its first input z is float32 of shape \(2, 3\); expected one code"):
        made(several, several("tanh", several.code))
