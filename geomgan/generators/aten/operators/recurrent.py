"""Recurrent networks, layer after layer; each over time in one direction or both, and one step of each."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from geomgan.generators.aten.operators.arguments import Operators


def lstm_step(state, gates, hidden_gates):
    """``c' = σ(f) c + σ(i) tanh(g)``, ``h' = σ(o) tanh(c')``."""
    _, cell = state
    keep_in, keep, new, out = jnp.split(gates + hidden_gates, 4, -1)
    cell = jax.nn.sigmoid(keep) * cell + jax.nn.sigmoid(keep_in) * jnp.tanh(new)
    return jax.nn.sigmoid(out) * jnp.tanh(cell), cell


def gru_step(state, gates, hidden_gates):
    """``h' = (1 - z) tanh(n + r n_h) + z h``."""
    (hidden,) = state
    reset, update, new = jnp.split(gates, 3, -1)
    hidden_reset, hidden_update, hidden_new = jnp.split(hidden_gates, 3, -1)
    update = jax.nn.sigmoid(update + hidden_update)
    new = jnp.tanh(new + jax.nn.sigmoid(reset + hidden_reset) * hidden_new)
    return ((1 - update) * new + update * hidden,)


def plain_step(activation):
    return lambda state, gates, hidden_gates: (activation(gates + hidden_gates),)


def _network(step, input, states, params, has_biases, num_layers, dropout, train, bidirectional, batch_first):
    """The last layer's hidden states over time, and every state of every layer and direction at the end."""
    if dropout and train:
        raise ValueError("a recurrent network draws numbers for dropout in training: call .eval() on the module first")
    each, directions = 4 if has_biases else 2, 2 if bidirectional else 1
    if len(params) != each * num_layers * directions:
        raise ValueError(
            f"{len(params)} weights of a recurrent network, expected {each} for each of {num_layers * directions} "
            "layers and directions: projections of the hidden state (proj_size) are not there"
        )
    x, ends = input.swapaxes(0, 1) if batch_first else input, []
    for layer in range(num_layers):
        outs = []
        for direction in range(directions):
            at = layer * directions + direction
            weights, hidden_weights, *biases = params[each * at : each * (at + 1)]
            bias, hidden_bias = biases or (0, 0)

            def advance(state, gates, weights=hidden_weights, bias=hidden_bias):
                state = step(state, gates, state[0] @ weights.T + bias)
                return state, state[0]

            first = tuple(state[at] for state in states)
            end, out = lax.scan(advance, first, x @ weights.T + bias, reverse=bool(direction))
            ends.append(end)
            outs.append(out)
        x = jnp.concatenate(outs, -1)
    return x.swapaxes(0, 1) if batch_first else x, *map(jnp.stack, zip(*ends, strict=True))


def lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first):
    return _network(lstm_step, input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)


def _of_one_state(step):
    return lambda input, hx, *settings: _network(step, input, [hx], *settings)


def lstm_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    return lstm_step(hx, *_gates(input, hx[0], w_ih, w_hh, b_ih, b_hh))


def _cell(step):
    return lambda input, hx, w_ih, w_hh, b_ih=None, b_hh=None: step((hx,), *_gates(input, hx, w_ih, w_hh, b_ih, b_hh))[
        0
    ]


def _gates(x, hidden, w_ih, w_hh, b_ih, b_hh):
    return x @ w_ih.T + (0 if b_ih is None else b_ih), hidden @ w_hh.T + (0 if b_hh is None else b_hh)


OPERATORS: Operators = {
    "lstm.input": lstm,
    "gru.input": _of_one_state(gru_step),
    "rnn_tanh.input": _of_one_state(plain_step(jnp.tanh)),
    "rnn_relu.input": _of_one_state(plain_step(jax.nn.relu)),
    "lstm_cell": lstm_cell,
    "gru_cell": _cell(gru_step),
    "rnn_tanh_cell": _cell(plain_step(jnp.tanh)),
    "rnn_relu_cell": _cell(plain_step(jax.nn.relu)),
}
