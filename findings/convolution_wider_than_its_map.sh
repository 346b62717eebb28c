#!/usr/bin/env bash
# A convolution whose kernel is wider than its map is many times slower on a CPU than the same sums as one matrix product.
#
# Versions: jax and jaxlib 0.10.2, Python 3.11 or newer.
# Behaviour: XLA compiles a convolution over maps of 3 x 3 pixels with a 5 x 5 kernel (padding 2: AlexNet's second
#   convolution, of images of 32 pixels) into code that reaches a small part of the rate of a matrix product. One pixel
#   decides: over maps of 5 x 5 pixels, with 2.8 times the work, the same convolution takes less time.
# Expected: time that grows with the work; at worst what gathering the patches and one matrix product take.
# Seen (two cores): 3 x 3 maps 5.4 ms for 0.09 GFLOP, as patches 0.8 ms; 5 x 5 maps less than the 3 x 3 ones.
# Who meets it: LPIPS and feature distances of small images (digits, CIFAR), where late maps are smaller than kernels.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

KERNEL, IN, OUT, BATCH = 5, 64, 192, 64
rng = np.random.default_rng(0)
kernel = rng.standard_normal((KERNEL, KERNEL, IN, OUT)).astype(np.float32)


@jax.jit
def convolution(x):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), [(2, 2), (2, 2)], dimension_numbers=("NHWC", "HWIO", "NHWC"))


@jax.jit
def patches(x):
    n, height, width, _ = x.shape
    padded = jnp.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
    parts = [padded[:, i : i + height, j : j + width] for i in range(KERNEL) for j in range(KERNEL)]
    flat = jnp.stack(parts, axis=3).reshape(n * height * width, -1)
    return (flat @ kernel.reshape(-1, OUT)).reshape(n, height, width, OUT)


def milliseconds(functions, x):
    """Medians of alternating runs."""
    for function in functions:
        function(x).block_until_ready()
    times = [[] for _ in functions]
    for _ in range(15):
        for function, own in zip(functions, times):
            started = time.perf_counter()
            function(x).block_until_ready()
            own.append(time.perf_counter() - started)
    return [1e3 * statistics.median(own) for own in times]


found = {}
for side in (3, 5):
    x = rng.standard_normal((BATCH, side, side, IN)).astype(np.float32)
    np.testing.assert_allclose(convolution(x), patches(x), rtol=1e-3, atol=1e-2)
    found[side] = milliseconds((convolution, patches), x)
    gflop = 2 * BATCH * side**2 * KERNEL**2 * IN * OUT / 1e9
    own, product = found[side]
    print(f"{side} x {side} maps, {gflop:.2f} GFLOP: convolution {own:.1f} ms, patches and a product {product:.1f} ms")
ratio = found[3][0] / found[3][1]
print(f"jax {jax.__version__}: wider than its map, the convolution takes {ratio:.1f} times as long as the product")
if ratio < 2.5:
    raise SystemExit("changed: a kernel wider than its map is no longer slow")
PYTHON
