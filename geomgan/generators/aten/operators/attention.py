"""Attention: ``softmax(scale q kᵀ + mask) v`` of ``q (..., L, E)``, ``k (..., S, E)``, ``v (..., S, F)``."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from geomgan.generators.aten.operators.activation import safe_softmax
from geomgan.generators.aten.operators.arguments import Operators


def attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, *, scale=None, enable_gqa=False):
    """A mask of numbers is added, one of booleans says what is seen; who sees nothing gets zeros."""
    return _attention(query, key, value, attn_mask, dropout_p, is_causal, scale)[0]


def flash_attention_for_cpu(query, key, value, dropout_p=0.0, is_causal=False, *, attn_mask=None, scale=None):
    """The attention, and the logarithms of its sums ``(..., L)``."""
    out, logits = _attention(query, key, value, attn_mask, dropout_p, is_causal, scale)
    return out, jax.nn.logsumexp(logits, -1)


def _attention(query, key, value, mask, dropout_p, is_causal, scale):
    if dropout_p:
        raise ValueError(
            f"attention draws numbers for dropout in training, got dropout_p={dropout_p}, expected 0: "
            "call .eval() on the module first"
        )
    if query.ndim > 2 and key.shape[-3] != query.shape[-3]:  # heads that share keys and values
        key, value = (jnp.repeat(x, query.shape[-3] // x.shape[-3], -3) for x in (key, value))
    logits = query @ key.mT * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        mask = jnp.tril(jnp.ones(logits.shape[-2:], bool))
    if mask is not None:
        logits = jnp.where(mask, logits, -jnp.inf) if mask.dtype == bool else logits + mask
    return safe_softmax(logits, -1) @ value, logits


OPERATORS: Operators = {
    "scaled_dot_product_attention": attention,
    "_scaled_dot_product_flash_attention_for_cpu": flash_attention_for_cpu,
}
