"""The large metrics on an accelerator: dense BigGAN-deep-256 and StyleGAN2-256, top pairs of FC6.

    python -m benchmarks.accelerator [--precision tf32] [--codes 16]

Random weights (as fast as trained ones) and LPIPS-alex. Seconds are for each code of a field, without compilation;
TFLOP/s count matrix products and convolutions, one forward pass for each tangent and three for each product. Goals of
one H100-class device: 0.2 s, 0.4 s and 0.5 s a code. On a machine without an accelerator it says so and ends.
"""

from __future__ import annotations

import argparse
import time

import jax
import numpy as np

import geomgan as gg
from benchmarks import random_models
from geomgan.fields.plan import plan_field
from geomgan.fields.rate import matrix_product_rate

# name -> (generator, pairs (None: all, dense), most seconds a code)
CASES = {
    "BigGAN-deep-256, dense": (lambda: random_models.biggan_deep(256), None, 0.2),
    "StyleGAN2-256 in w, dense": (lambda: random_models.stylegan2(256, 1), None, 0.4),
    "DeePSim FC6, top 100": (random_models.upconv_fc6, 100, 0.5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--precision", default="tf32", help="of matrix products")
    parser.add_argument("--codes", type=int, default=16)
    parser.add_argument("--cases", nargs="*", default=list(CASES), help="some of " + "; ".join(CASES))
    parser.add_argument("--on-cpu", action="store_true", help="run all the same, which takes minutes a code")
    arguments = parser.parse_args()
    device = jax.devices()[0]
    if device.platform == "cpu" and not arguments.on_cpu:
        raise SystemExit("There is no accelerator here, only a CPU: nothing was measured. See benchmarks.peers.")
    rate = matrix_product_rate(arguments.precision) * len(jax.devices())
    print(f"{len(jax.devices())} x {device.device_kind}, jax {jax.__version__}, {arguments.precision}: a large matrix")
    print(f"product runs at {rate / 1e12:.3g} TFLOP/s. Fields of {arguments.codes} codes.\n")
    print("| case | seconds a code | goal | TFLOP/s | of matrix product | chunk | planned memory, MiB |")
    print("|---|---|---|---|---|---|---|")
    for name in arguments.cases:
        make, k, goal = CASES[name]
        G, D = make(), gg.distances.lpips("alex")
        codes = np.asarray(G.sample_latent(jax.random.key(0), arguments.codes))
        options = {"k": k, "precision": arguments.precision, "solver": "dense" if k is None else "block"}
        plan = plan_field(G, D, len(codes), **options, estimate=False)
        gg.metric_field(G, D, codes, **options, progress=False)  # compiles
        start = time.perf_counter()
        field = gg.metric_field(G, D, codes, **options)
        seconds = (time.perf_counter() - start) / len(codes)
        assert len(field.finished) == len(codes)
        achieved = plan.flops / seconds
        print(
            f"| {name} | {seconds:.3f} | {goal} | {achieved / 1e12:.3g} | {achieved / rate:.0%} | {plan.chunk} | "
            f"{plan.bytes / 2**20:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
