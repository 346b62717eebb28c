"""The decoder of a diffusion model's autoencoder: its first pairs, dense and by blocks, beside torch's forward mode.

    python -m benchmarks.autoencoders MODEL [--resolution 64] [--top 64] [--share 0.125]

``MODEL`` is a converted tiny autoencoder with its encoder. One encoded photograph, LPIPS with AlexNet. torch pushes as
many tangents forward as the dense way does, all latent dimensions; of these it may measure a share and say so.
"""

from __future__ import annotations

import argparse
import statistics
import time
from functools import partial

import numpy as np
import torch

import geomgan as gg
from benchmarks.agreement import agree, error
from benchmarks.measure import timed
from benchmarks.rows import table_row
from benchmarks.torch_autoencoders import tiny_decoder
from benchmarks.torch_distances import sample_embedding
from benchmarks.torch_peers import gauss_newton_block
from geomgan.generators.patches import patch
from geomgan.metric.pair import bind
from geomgan.models.photographs import names, photographs


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--top", type=int, default=64)
    parser.add_argument("--share", type=float, default=0.125, help="of the tangents that torch pushes")
    parser.add_argument("--photograph", default="cat", choices=names())
    parser.add_argument("--chunk", type=int, help="tangents together in the block solver")
    given = parser.parse_args()
    torch.set_num_threads(2)
    side = (given.resolution, given.resolution)
    image = photographs(side)[names().index(given.photograph)]
    G, D = gg.load(given.model, resolution=given.resolution), gg.distances.lpips("alex")
    z = np.asarray(gg.load(given.model, part="encoder", resolution=given.resolution)(image))
    D, dim = bind(G, D), G.latent_dim
    print(table_row("way", "seconds", "processor seconds", "tangents", "worst residual / λ₁"))
    print(table_row(*["---"] * 5))

    def row(way: str, tangents: int, pairs: gg.Eigenpairs | None, seconds: float, processor: float) -> None:
        worst = "" if pairs is None else f"{(pairs.residuals / pairs.values[0]).max():.1e}"
        print(table_row(way, f"{seconds:.1f}", f"{processor:.1f}", str(tangents), worst), flush=True)

    def both(call):
        start, used = time.perf_counter(), time.process_time()
        found = call()
        return found, time.perf_counter() - start, time.process_time() - used

    def block():
        return gg.eigenpairs(gg.metric_operator(G, D, z, chunk=given.chunk), given.top, solver="block")

    def dense():
        return gg.eigenpairs(gg.metric_operator(G, D, z), given.top, solver="dense")

    block(), dense()  # compile
    by_block, *spent = both(block)
    products = by_block.info["products"]
    row(f"geomgan, block Lanczos, {products} products", products, by_block, *spent)
    by_rows, *spent = both(dense)
    row("geomgan, dense", dim, by_rows, *spent)
    mine = spent[0]
    agree("values", error(by_block.values, by_rows.values), 1e-4)
    features, decode = sample_embedding(D), tiny_decoder(G)
    phi = lambda code: features(decode(code))
    count = max(32, int(dim * given.share))
    push = partial(gauss_newton_block, phi, z, chunk=32)
    push(32)
    theirs, *spent = both(lambda: push(count))
    row("torch, forward mode", count, None, *spent)
    agree("metric", error(gg.metric_operator(G, D, z).to_dense()[:count, :count], theirs), 2e-3)
    print(f"\ntorch for all {dim} tangents: {spent[0] * dim / count:.1f} s; geomgan dense {mine:.1f} s")
    quarter = (0, given.resolution // 16)
    part, code = patch(G, z, quarter, quarter)
    if part.sample_shape.shape[0] >= 32:
        one = lambda: gg.metric_operator(part, D, code).to_dense()
        whole = lambda: gg.metric_operator(G, D, z).to_dense()
        one(), whole()
        ratios = [timed(one) / timed(whole) for _ in range(3)]
        print(f"a quarter of the image of the whole metric's time: {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
