"""Non-linearities, and dropout in evaluation."""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp
from jax import nn

from geomgan.generators.aten.operators.arguments import Operators, converted


def elu(x, alpha=1, scale=1, input_scale=1):
    below = jnp.expm1(jnp.where(x > 0, 0, x) * input_scale)  # no overflow in the branch that is not taken
    return scale * jnp.where(x > 0, x, alpha * below)


def hardtanh(x, min_val=-1, max_val=1):
    return jnp.where(x <= min_val, min_val, jnp.where(x >= max_val, max_val, x)).astype(x.dtype)


def leaky_relu(x, negative_slope=0.01):
    return jnp.where(x > 0, x, x * negative_slope)


def rrelu(x, lower=0.125, upper=1 / 3, training=False, generator=None):
    if training:
        raise ValueError("rrelu draws its slopes in training, got training=True: call .eval() on the module first")
    return leaky_relu(x, (lower + upper) / 2)


def prelu(x, weight):
    slopes = weight.reshape(-1, *(1,) * (x.ndim - 2)) if x.ndim > 1 else weight
    return prelu_kernel(x, slopes)


def prelu_kernel(x, weight):
    return jnp.where(x > 0, x, x * weight)


def gelu(x, *, approximate="none"):
    return nn.gelu(x, approximate=approximate == "tanh")


def softplus(x, beta=1, threshold=20):
    return jnp.where(x * beta > threshold, x, nn.softplus(x * beta) / beta)


def softshrink(x, lambd=0.5):
    return jnp.where(x > lambd, x - lambd, jnp.where(x < -lambd, x + lambd, x * 0))


def glu(x, dim=-1):
    value, gate = jnp.split(x, 2, dim)
    return value * nn.sigmoid(gate)


def logit(x, eps=None):
    x = x if eps is None else jnp.clip(x, eps, 1 - eps)
    return jnp.log(x / (1 - x))


def softmax(x, dim, dtype=None):
    return nn.softmax(converted(x, dtype), dim)


def log_softmax(x, dim, dtype=None):
    return nn.log_softmax(converted(x, dtype), dim)


def safe_softmax(x, dim, dtype=None):
    """Zeros where all are minus infinity."""
    nothing = jnp.all(x == -jnp.inf, dim, keepdims=True)
    return jnp.where(nothing, 0, softmax(jnp.where(nothing, 0, x), dim, dtype))


def dropout(input, p, train):
    if train and p:
        raise ValueError("dropout draws numbers in training, got train=True: call .eval() on the module first")
    return input


def native_dropout(input, p, train):
    """The input, and a mask that keeps all of it."""
    return dropout(input, p, train), jnp.ones(input.shape, bool)


OPERATORS: Operators = {
    "relu": nn.relu,
    "relu6": partial(hardtanh, min_val=0, max_val=6),
    "leaky_relu": leaky_relu,
    "rrelu": rrelu,
    "prelu": prelu,
    "_prelu_kernel": prelu_kernel,
    "elu": elu,
    "celu": lambda x, alpha=1.0: elu(x, alpha, 1, 1 / alpha),
    "selu": nn.selu,
    "gelu": gelu,
    "silu": nn.silu,
    "mish": lambda x: x * jnp.tanh(nn.softplus(x)),
    "hardtanh": hardtanh,
    "hardsigmoid": lambda x: hardtanh(x + 3, 0, 6) / 6,
    "hardswish": lambda x: x * hardtanh(x + 3, 0, 6) / 6,
    "softplus": softplus,
    "softshrink": softshrink,
    "hardshrink": lambda x, lambd=0.5: jnp.where(jnp.abs(x) > lambd, x, x * 0),
    "threshold": lambda x, threshold, value: jnp.where(x > threshold, x, value).astype(x.dtype),
    "tanh": jnp.tanh,
    "sigmoid": nn.sigmoid,
    "log_sigmoid": nn.log_sigmoid,
    "logit": logit,
    "glu": glu,
    "softmax": softmax,
    "_softmax": lambda x, dim, half_to_float: nn.softmax(x, dim),
    "_safe_softmax": safe_softmax,
    "log_softmax": log_softmax,
    "_log_softmax": lambda x, dim, half_to_float: nn.log_softmax(x, dim),
    "dropout": dropout,
    "feature_dropout": dropout,
    "alpha_dropout": dropout,
    "feature_alpha_dropout": dropout,
    "native_dropout": native_dropout,
}
