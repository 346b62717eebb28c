#!/usr/bin/env bash
# flax's avg_pool of bfloat16 maps of 28 pixels and more gives about half of the mean on a CPU.
#
# Versions: jax and jaxlib 0.10.2, flax 0.12.8, Python 3.11 or newer; the same with jax 0.12.0.1 and flax 0.12.12.
# Behaviour: flax.linen.avg_pool sums each window by lax.reduce_window in the type of its input. XLA's program for a CPU
#   widens to float32 and rounds every partial sum back to bfloat16, whose numbers are 2 apart from 256 on: sums of
#   numbers near 1 stop there. jnp.mean of the same array is right, because jax.numpy sums such types in float32; so are
#   convolutions, matrix products, and pooling in float16 up to 64 pixels.
# Expected: the mean, rounded to bfloat16 (half a per cent at most), as jnp.mean gives and as torch's pooling does.
# Seen: windows of 16 x 16 pixels 1.00, 28 x 28 0.65, 32 x 32 0.50, 64 x 64 0.50, of values that are 1 on average.
# Who meets it: global average pooling in front of a classifier's or an encoder's last layer, run in bfloat16.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 flax==0.12.8
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

rng = np.random.default_rng(0)
print(f"jax {jax.__version__}, flax {flax.__version__}")
ratios = {}
for side in (7, 16, 28, 32, 64):
    x = jnp.asarray(1 + 0.1 * rng.standard_normal((1, side, side, 8)), jnp.bfloat16)
    true = np.asarray(x, np.float64).mean((1, 2))
    pooled, mean = (np.asarray(found, np.float64) for found in (nn.avg_pool(x, (side, side))[:, 0, 0], x.mean((1, 2))))
    ratios[side] = (pooled / true).mean()
    print(f"{side} x {side}: avg_pool / true mean {ratios[side]:.3f}, jnp.mean / true mean {(mean / true).mean():.3f}")
    np.testing.assert_allclose(mean, true, rtol=5e-3)
np.testing.assert_allclose(ratios[7], 1, atol=2e-2)
if ratios[28] > 0.9 or ratios[64] > 0.9:
    raise SystemExit("changed: sums of windows are no longer rounded at every step")
PYTHON
