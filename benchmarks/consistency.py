"""Seconds of the consistency matrices of many metric tensors, beside the rate of a large matrix product.

python -m benchmarks.consistency [--codes 1000] [--dim 256] [--decades 6] [--check 20]

The original's loop over pairs took 582 s for 1000 tensors of dimension 256, by its authors' notebook. Besides the
defaults, --codes 200 takes a few seconds.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.measure import matrix_product_rate, timed
from geomgan.analysis import consistency
from geomgan.fields import MetricField

ORIGINAL_SECONDS, ORIGINAL_SIZE = 582, (1000, 256)


def random_field(codes: int, dim: int, decades: float, seed: int = 0) -> MetricField:
    """Positive tensors in random frames, their eigenvalues falling over so many decades, as a field."""
    rng = np.random.default_rng(seed)
    fall = np.sort(rng.random((codes, dim)), axis=1)
    values = 10 ** (-decades * fall)
    vectors = np.empty((codes, dim, dim))
    tensors = np.empty((codes, dim, dim))
    for p in range(codes):
        vectors[p] = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
        tensors[p] = (vectors[p] * values[p]) @ vectors[p].T
    nothing = np.zeros((codes, dim))
    floor, status = np.full(codes, 1e-14), np.ones(codes, np.int8)
    return MetricField(nothing, tensors, values, vectors, nothing, floor, status, {}, {})


def largest_error(field: MetricField, result: object, pairs: int) -> float:
    """Largest difference of the correlations from their definition in double precision, over random pairs."""
    rng, error = np.random.default_rng(1), 0.0
    for i, j in rng.integers(len(field.values), size=(pairs, 2)):
        frame = np.asarray(field.vectors[i])
        alpha, values = np.diag(frame.T @ field.tensors[j] @ frame), field.values[j]  # type: ignore[index]
        for name, scale in (("linear", lambda x: x), ("log", np.log10)):
            expected = np.corrcoef(scale(alpha), scale(values))[0, 1]
            error = max(error, abs(getattr(result, name)[i, j] - expected))
    return error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--codes", type=int, default=ORIGINAL_SIZE[0])
    parser.add_argument("--dim", type=int, default=ORIGINAL_SIZE[1])
    parser.add_argument("--decades", type=float, default=6)
    parser.add_argument("--check", type=int, default=20, help="pairs to compare with double precision")
    options = parser.parse_args()
    count, dim = options.codes, options.dim
    field = random_field(count, dim, options.decades)
    rate, results = matrix_product_rate(), []
    seconds = timed(lambda: results.append(consistency(field, progress=True)))
    rate = max(rate, matrix_product_rate())
    work = count * (count + 1) * dim**3
    ours = work / seconds / 1e9
    print(f"{count} tensors of dimension {dim}: {seconds:.1f} s, with compilation")
    print(f"{work / 1e12:.3g} TFLOP of products, one for each pair of codes: {ours:.0f} GFLOP/s")
    print(f"{100 * ours / rate:.0f} % of the {rate:.0f} GFLOP/s of a float32 product of side 3000 on the same cores")
    print(f"largest error of {options.check} pairs: {largest_error(field, results[0], options.check):.1e}")
    if (count, dim) == ORIGINAL_SIZE:
        print(f"the original: {ORIGINAL_SECONDS} s, {ORIGINAL_SECONDS / seconds:.1f} times as long")


if __name__ == "__main__":
    main()
