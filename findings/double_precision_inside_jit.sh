#!/usr/bin/env bash
# jax.enable_x64 inside a jitted function computes in float64, until something random or an argmin is asked for.
#
# Versions: jax and jaxlib 0.10.2, Python 3.11 or newer; the same with jax 0.12.0.1.
# Behaviour: within jax.jit, while JAX's 64-bit flag is off, "with jax.enable_x64(True)" gives true float64 arithmetic,
#   products, sorts and loops. jax.random.normal and uniform of float64 there end in "Cannot lower jaxpr with verifier
#   errors" (words of 64 bits are truncated to 32 on the way), and argmin of float64 in a TypeError on the types of a
#   reduction. Outside jit, and with the context around the jitted call, all of them work.
# Expected: all of them as outside jit, or one refusal that names the context.
# Seen: arithmetic in float64, 17.49639403; normal and uniform ValueError; argmin TypeError; outside jit float64 draws.
# Who meets it: whoever writes an algorithm in float64 into a float32 program (a search, an eigenproblem).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2
JAX_PLATFORMS=cpu "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import jax
import jax.numpy as jnp

numbers = lambda: jnp.arange(3, dtype=jnp.float64)
asked = {
    "arithmetic": lambda key: jnp.exp(numbers()) @ numbers(),
    "sort": lambda key: jnp.sort(numbers()),
    "normal": lambda key: jax.random.normal(key, (3,), jnp.float64),
    "uniform": lambda key: jax.random.uniform(key, (3,), jnp.float64),
    "argmin": lambda key: jnp.argmin(numbers()),
}


def wide(function):
    def call(key):
        with jax.enable_x64(True):
            return function(key)

    return call


print(f"jax {jax.__version__}")
key, ended = jax.random.key(0), {}
for name, function in asked.items():
    eager = wide(function)(key)
    try:
        ended[name] = f"{jax.jit(wide(function))(key)!r}"
    except (TypeError, ValueError) as error:
        ended[name] = type(error).__name__
        print(f"{name}: {ended[name]}: {str(error).splitlines()[0][:120]}; without jit {eager!r}")
    else:
        print(f"{name}: {ended[name]}; without jit {eager!r}")
assert "float64" in ended["arithmetic"] and "float64" in ended["sort"]
if [ended[name] for name in ("normal", "uniform", "argmin")] != ["ValueError", "ValueError", "TypeError"]:
    raise SystemExit("changed: float64 draws or argmin within jit no longer end as described")
PYTHON
