"""Generators of any latent dimension whose metric is known and never a matrix (tests/fields/test_large_latents.py).

``python -m tests.fields.large_latents D K OUT`` computes the top pairs of one, in a process whose memory is measured.
"""

import json
import resource
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import geomgan as gg


def planted(params, z):
    """``x = C (s * (C (signs * z)))`` with the orthonormal cosine transform ``C``: singular values ``s``."""
    s, signs = params
    cosine = lambda v: jax.scipy.fft.dct(v, norm="ortho")
    return cosine(s * cosine(signs * z))


def spectrum(dim):
    """Eigenvalues of the metric: three decades in the first hundred, then a long flat tail."""
    return 100.0 / (1 + np.arange(dim)) ** 1.5 + 1e-3


def planted_generator(dim):
    rng = np.random.default_rng(0)
    s = rng.permutation(np.sqrt(spectrum(dim)))
    params = (jnp.asarray(s, jnp.float32), jnp.asarray(rng.choice([-1.0, 1.0], dim), jnp.float32))
    return gg.Generator.from_function(planted, params, dim, output_range=None, name=f"planted-{dim}")


def planted_vectors(generator, k):
    """The ``k`` leading eigenvectors, in columns."""
    from scipy.fft import idct

    s, signs = (np.asarray(leaf, np.float64) for leaf in generator.params)
    leading = np.argsort(-s)[:k]
    unit = np.zeros((len(leading), len(s)))
    unit[np.arange(len(leading)), leading] = 1
    return (idct(unit, norm="ortho") * signs).T


def main(dim, k, out):
    dim, k, out = int(dim), int(k), Path(out)
    jax.config.update("jax_platforms", "cpu")
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    G, codes = planted_generator(dim), np.random.default_rng(1).standard_normal((2, dim)).astype(np.float32)
    before = peak()
    field = gg.metric_field(G, gg.distances.euclidean(), codes, k=k, progress=False)
    np.savez(out, values=field.values, vectors=field.vectors, residuals=field.residuals, status=field.status)
    out.with_suffix(".json").write_text(json.dumps({"bytes": peak() - before, "solver": field.provenance["solver"]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
