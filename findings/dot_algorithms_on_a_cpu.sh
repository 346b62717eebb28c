#!/usr/bin/env bash
# On a CPU JAX takes the dot algorithms of bfloat16 without a word, and multiplies in float32.
#
# Versions: jax and jaxlib 0.10.2, Python 3.11 or newer; the same with jax 0.12.0.1.
# Behaviour: jax.lax.DotAlgorithmPreset names how a product is computed. On a CPU "TF32_TF32_F32" and "BF16_BF16_BF16"
#   are refused with an error, which is what the documentation promises of algorithms that a platform lacks. But
#   "BF16_BF16_F32" and "BF16_BF16_F32_X3" are accepted, and what comes out is the product in float32, bit for bit:
#   operands are never rounded. default_matmul_precision is taken likewise, and changes nothing.
# Expected: operands rounded to bfloat16 (an error of 2e-3), or the same refusal.
# Seen: relative error against float64 3e-7 for BF16_BF16_F32, the bits of "highest"; 2e-3 once operands are rounded by hand.
# Who meets it: whoever tests on a CPU what a coarse product will do on a GPU, and finds that it does no harm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import jax
import jax.numpy as jnp
import numpy as np

a = np.random.default_rng(0).standard_normal((256, 256)).astype(np.float32)
true = a.astype(np.float64) @ a.astype(np.float64)
error = lambda found: np.linalg.norm(np.asarray(found, np.float64) - true) / np.linalg.norm(true)
highest = np.asarray(jnp.dot(a, a, precision="highest"))
print(f"jax {jax.__version__}: highest {error(highest):.1e}")
outcome = {}
for name in ("BF16_BF16_F32", "BF16_BF16_F32_X3", "TF32_TF32_F32", "BF16_BF16_BF16"):
    try:
        found = np.asarray(jnp.dot(a, a, precision=name))
        outcome[name] = "the bits of highest" if (found == highest).all() else "other numbers"
        print(f"{name}: error {error(found):.1e}, {outcome[name]}")
    except ValueError as refusal:
        outcome[name] = "refused"
        print(f"{name}: {refusal}")
rounded = jax.lax.reduce_precision(a, exponent_bits=8, mantissa_bits=7)
print(f"operands rounded by hand: error {error(jnp.dot(rounded, rounded)):.1e}")
assert outcome["TF32_TF32_F32"] == outcome["BF16_BF16_BF16"] == "refused"
if outcome["BF16_BF16_F32"] != "the bits of highest":
    raise SystemExit("changed: BF16_BF16_F32 is no longer the float32 product on a CPU")
PYTHON
