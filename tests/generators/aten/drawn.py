"""Small programs drawn by hand: a node for each call, weights from a seed."""

from __future__ import annotations

import numpy as np

from geomgan.generators.aten import Node, Program, Value, Weight
from geomgan.generators.aten.program import Tensor


class Drawing:
    """``x = d("conv2d", d.code, d.weight("a.weight", 8, 4, 3, 3))``; then ``d.program(x)`` and ``d.tensors``."""

    def __init__(self, *code, seed=0, **inputs):
        self.inputs = (Tensor("z", (1, *code)), *(Tensor(name, (1,), dtype) for name, dtype in inputs.items()))
        self.code, self.nodes, self.tensors = Value("z"), [], {}
        self.rng = np.random.default_rng(seed)

    def __call__(self, operator, *arguments, name=None, **options):
        name = name or f"{operator.partition('.')[0]}_{len(self.nodes)}"
        self.nodes.append(Node(name, operator, arguments, tuple(options.items())))
        return Value(name)

    def value(self, name):
        return Value(name)

    def weight(self, name, *shape, positive=False):
        values = self.rng.standard_normal(shape)
        self.tensors[name] = (np.abs(values) + 0.5 if positive else values / np.sqrt(np.prod(shape[1:]))).astype("f4")
        return Weight(name)

    def layer(self, operator, x, name, *shape, bias=True, **options):
        """A layer with ``name.weight``, and ``name.bias`` of as many numbers as it has outputs."""
        outputs = shape[1] if "transpose" in operator else shape[0]
        offset = self.weight(f"{name}.bias", outputs) if bias else None
        return self(operator, x, self.weight(f"{name}.weight", *shape), offset, **options)

    def norm(self, x, name, channels):
        """A batch norm in evaluation with all four parts."""
        parts = [self.weight(f"{name}.{part}", channels) for part in ("weight", "bias", "running_mean")]
        var = self.weight(f"{name}.running_var", channels, positive=True)
        return self("batch_norm", x, *parts, var, False, 0.1, 1e-5, True)

    def program(self, output):
        weights = tuple(Tensor(name, array.shape, array.dtype.name) for name, array in self.tensors.items())
        return Program(self.inputs, weights, tuple(self.nodes), output)


def dcgan(latent_dim, features, channels=3):
    """The tutorial's DCGAN, with the names of its state dict, and its program."""
    d = Drawing(latent_dim, 1, 1)
    x, before = d.code, latent_dim
    for i, after in enumerate((*features, channels)):
        stride, padding = (2, 1) if i else (1, 0)
        shape, pair = (before, after, 4, 4), (stride, stride)
        x = d("conv_transpose2d", x, d.weight(f"main.{3 * i}.weight", *shape), None, pair, (padding, padding))
        if i < len(features):
            x = d("relu", d.norm(x, f"main.{3 * i + 1}", after))
        before = after
    return d, d.program(d("tanh", x))
