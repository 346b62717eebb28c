"""``geomgan pool``: latent codes that are used again and again, with their pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from geomgan.cli import options

HELP = "write a pool of latent codes with their pictures, for geomgan traverse --warps and geomgan rank"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    options.model(parser)
    parser.add_argument("--num-samples", type=int, default=4, help="codes")
    parser.add_argument("--pool", metavar="NAME", help="of the pool (default: MODEL_COUNT)")
    options.seed(parser)
    options.out(parser, "folder for the pool (default: experiments/latent_codes/MODEL/POOL)")


def run(arguments: argparse.Namespace) -> int:
    """Draw codes, and print where the pool is."""
    import jax
    import numpy as np

    from geomgan.errors import check_count
    from geomgan.zoo import load_generator, write_pool

    own = options.model_options(arguments)
    count = check_count(arguments.num_samples, np.inf, "num-samples")
    G = load_generator(arguments.model, **own)
    model = Path(arguments.model).name
    pool = arguments.pool or f"{model}_{count}"
    out = Path(arguments.out or Path("experiments") / "latent_codes" / model / pool)
    args = {"gan_type": model, "num_samples": count, "pool": pool, "seed": arguments.seed, "space": G.space, **own}
    found = write_pool(G, G.sample_latent(jax.random.key(arguments.seed), count), out, args, progress=True)
    print(
        f"{len(found.codes)} codes with their pictures are in {out}. "
        f"`geomgan traverse {arguments.model} --warps EXPERIMENT --pool {out}` walks them."
    )
    return 0
