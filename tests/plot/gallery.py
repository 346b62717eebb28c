"""One figure of every kind, of results that are made up: as large as those of a report, without a network."""

from __future__ import annotations

import dataclasses
from functools import partial

import jax
import numpy as np

from geomgan import analysis, plot
from geomgan.analysis.compression import Compression
from geomgan.analysis.null_space import EquivalentDirections, NullSpace
from geomgan.analysis.trust_radius import TrustRadius
from geomgan.directions import DirectionSet, Disentanglement, Scoreboard, Scores, Traversal
from geomgan.geodesics import Sequences, VolumeMap
from geomgan.optimize import Inversion
from geomgan.paths import Line, Walks

DIM, CODES, SIDE = 24, 12, 64


def pictures(*shape, side=SIDE, channels=1):
    """Smooth images ``(*shape, side, side, channels)`` in ``(-1, 1)``, all different."""
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, side)
    centres, sizes = rng.uniform(-0.5, 0.5, (*shape, 2, 1)), rng.uniform(0.3, 0.8, (*shape, 1, 1))
    across, down = (np.exp(-(((x - centres[..., i, :]) / sizes[..., 0]) ** 2)) for i in range(2))
    image = 2 * across[..., None, :] * down[..., :, None] - 1
    return np.repeat(image[..., None], channels, axis=-1).astype(np.float32)


def tensors(seed=0, codes=CODES, dim=DIM, decades=6.0):
    """Positive tensors with spectra over some decades, in frames that are alike."""
    rng = np.random.default_rng(seed)
    frames = np.linalg.qr(np.eye(dim) + 0.2 * rng.standard_normal((codes, dim, dim)))[0]
    values = 10.0 ** (-np.linspace(0, decades, dim) + 0.2 * rng.standard_normal((codes, dim)))
    return np.einsum("pik,pk,pjk->pij", frames, values, frames)


def walks(axes=5, steps=11, spacing="distance"):
    """Walks along axes."""
    t = np.linspace(-3, 3, steps) * np.linspace(0.5, 1, axes)[:, None]
    gaps = None if spacing == "step" else np.full(axes, 0.07)
    return Walks(t, pictures(axes, steps), np.abs(t) * 0.4 + 0.02 * t**2, "linear", "lpips-alex", spacing, gaps)


def moves():
    """Moves in the top and the bottom eigenspace."""
    t = np.linspace(0, 6, 7)
    predicted = np.array([1.0, 0.05])[:, None, None] * np.linspace(0.8, 1.2, 5)[:, None] * t
    return NullSpace(
        ("top", "bottom"), 6, t, np.zeros((2, 5, DIM)), np.sqrt(predicted) * 0.4, predicted, np.zeros((2, 5, 7)),
        pictures(2, 3, 7), pictures()[...], "linear", "lpips-alex",
    )  # fmt: skip


def twins():
    """Equivalent directions."""
    mus, rng = np.array([0.0, 1, 2, 4, 8]), np.random.default_rng(0)
    scale = 1 + 0.1 * rng.standard_normal((6, 1))
    return EquivalentDirections(
        mus, 6, 2.0, np.repeat(1 / np.sqrt(1 + mus**2)[None], 6, axis=0), 0.02 * mus * scale, 0.1 * mus * scale, 0.45,
        pictures(2, 5), pictures(2, 5), pictures(), pictures(), "lpips-alex",
    )  # fmt: skip


def radii(count=20):
    """Trust radii of axes, some of which are never left or at once."""
    ranks = np.unique(np.geomspace(1, 100, count).round().astype(int))
    radius = np.geomspace(0.3, 8, len(ranks))
    radius[-2:], radius[3] = np.inf, 0
    values, steps = 10.0 ** -np.linspace(0, 6, len(ranks)), np.geomspace(1e-3, 10, 64)
    flat = np.zeros((len(ranks), 2, 64))
    return TrustRadius(ranks, values, radius, np.stack([radius, radius], 1), steps, flat, flat, 2e-3, 0.1, 10.0, "mse")


def sides(axes):
    """Trust radii of axes towards both sides, one of which is never left."""
    found = np.linspace(0.3, 2.5, 2 * axes).reshape(axes, 2)
    found[-1] = np.inf
    return found


def short():
    """Compressed codes."""
    ks, rng = np.unique(np.geomspace(1, 100, 12).round().astype(int)), np.random.default_rng(0)
    own = 0.7 / np.sqrt(ks) * (1 + 0.1 * rng.standard_normal((32, 1)))
    other = (0.9 - 0.008 * ks) * (1 + 0.1 * rng.standard_normal((3, 32, 1)))
    kept = ks / 100
    return Compression(ks, own, other, kept, np.stack([kept] * 3), np.zeros(100), pictures(3), pictures(3, len(ks)),
                       pictures(3, len(ks)), "lpips-alex")  # fmt: skip


def figures():
    """Functions that draw, with more arguments where these are given, by the name of what they draw."""
    key = jax.random.key(0)
    F, shuffled = tensors(), tensors(1)
    alike, control = analysis.consistency(F), analysis.consistency(shuffled)
    law, layers, names = analysis.random_direction_law(F[0], key), alignment(), ("LPIPS", "MS-SSIM")
    compared, spaces = analysis.compare(F, shuffled), analysis.eigenspaces(F, shuffled, jax.random.key(0), 8)
    values = 10.0 ** -np.arange(5)
    return {
        "image_grid": partial(plot.image_grid, pictures(12), 6, title="Twelve samples"),
        "axes_montage": partial(plot.axes_montage, walks(), values),
        "axes_montage with trust radii": partial(plot.axes_montage, walks(), values, trust=sides(5)),
        "axes_montage of steps": partial(plot.axes_montage, walks(3, 7, "step"), values[:3], ranks=[1, 10, 100]),
        "references_montage": partial(plot.references_montage, walks(), rank=1),
        "distance_curves": partial(plot.distance_curves, walks(), values, trust=sides(5)),
        "spectrum": partial(plot.spectrum, F),
        "spectra": partial(plot.spectra, {"digits-dcgan": F, "digits-dcgan shuffled": shuffled}),
        "isotropy_illusion": partial(plot.isotropy_illusion, law),
        "consistency_matrix": partial(plot.consistency_matrix, alike),
        "consistency_histogram": partial(plot.consistency_histogram, {"model": alike, "shuffled weights": control}),
        "consistency_scatter": partial(plot.consistency_scatter, analysis.consistency_examples(F, 4)),
        "consistency_synopsis": partial(plot.consistency_synopsis, {"model": alike, "model shuffled": control}),
        "consistency_against_distance": partial(plot.consistency_against_distance, relation()),
        "consistency_against_distance of many": partial(plot.consistency_against_distance, relation(6000)),
        "layer_matrix": partial(plot.layer_matrix, layers),
        "amplification_curves": partial(plot.amplification_curves, layers, own=True),
        "layer_scatter": partial(plot.layer_scatter, layers),
        "null_space": partial(plot.null_space, moves()),
        "equivalent_directions": partial(plot.equivalent_directions, twins()),
        "trust_radius": partial(plot.trust_radius, radii()),
        "compression": partial(plot.compression, short()),
        "comparison": partial(plot.comparison, compared, names, (F, shuffled)),
        "comparison of bars": partial(plot.comparison, compared, names),
        "eigenspaces": partial(plot.eigenspaces, spaces, names),
        "reconstructions": partial(plot.reconstructions, inverted()),
        "loss_curves": partial(plot.loss_curves, inverted()),
        "traversal": partial(plot.traversal, traversed()),
        "traversal in distance": partial(plot.traversal, traversed("distance"), title="Six directions"),
        "direction_previews": partial(plot.direction_previews, with_previews()),
        "directions_montage": partial(
            plot.directions_montage, {"metric": traversed(), "sefa": traversed()}, values={"metric": [1, 2, 3.0]}
        ),
        "direction_scores": partial(plot.direction_scores, board()),
        "method_overlap": partial(plot.method_overlap, board()),
        "factor_cosines": partial(plot.factor_cosines, judged()),
        "image_sequences": partial(plot.image_sequences, ways()),
        "image_sequences between real": partial(
            plot.image_sequences, ways(1), (0, 1), ["one"], (pictures(1), pictures(1))
        ),
        "distance_gone": partial(plot.distance_gone, ways(), ["0 to 3", "1 to 4", "2 to 5"]),
        "correlation_matrices": partial(plot.correlation_matrices, ways()),
        "improvement_histogram": partial(plot.improvement_histogram, gains()),
        "improvement_histogram of one": partial(plot.improvement_histogram, {"all": gains()["VAE"]}, "One"),
        "improvement_bars": partial(plot.improvement_bars, gains(), "Two models"),
        "volume": partial(
            plot.volume, plane(), [Line(np.full(2, -2.0), np.full(2, 4.0))], ["straight line"], "A plane"
        ),
    }


def traversed(spacing="code"):
    """Walks from two codes along three directions."""
    steps = np.tile(np.linspace(-4, 4, 7), (2, 3, 1))
    distances = None if spacing == "code" else steps[:, 0] / 40
    sigmas = steps + np.arange(6).reshape(2, 3, 1) / 4
    names = ("smile", "hair colour", "axis 3")
    return Traversal(
        steps, np.zeros((2, 3, 7, DIM)), pictures(2, 3, 7), sigmas, names, spacing, distances, "lpips-alex"
    )


def with_previews():
    """Directions with pictures and scores."""
    images = np.rint(127.5 * (pictures(3, 5, channels=3) + 1)).astype(np.uint8)
    return DirectionSet(
        np.eye(DIM, 3, dtype=np.float32), ("smile", "hair colour", "axis 3"), "w", "SeFa", {}, {"score": np.ones(3)},
        np.ones(3), None, ((0, 2), None, None), True, "hash", "faces64", images, np.linspace(-2, 2, 5),
    )  # fmt: skip


def board():
    """Scores of three methods."""
    rng, methods = np.random.default_rng(0), ("random", "metric", "dictionary")
    scores = {name: Scores(tuple("abcde"), *rng.uniform(0.001, 1, (6, 5)), np.full(5, np.nan)) for name in methods}
    shared = np.full((3, 3), 0.4) + 0.6 * np.eye(3)
    return Scoreboard(scores, shared, shared, 5, 0.5, "lpips-alex", 8)


def judged():
    """Measures of two methods against known factors."""
    factors = ("x", "size", "rotation")
    one = Disentanglement(factors, np.array([0.99, 0.5, 0.95]), np.arange(3), 1.0, 0.5, 0.7, 0.7, 0.9)
    return {"metric": one, "dictionary": dataclasses.replace(one, cosines=np.array([0.1, 0.2, 0.3]))}


def ways(pairs=3, steps=21):
    """Straight lines and shorter paths."""
    t, fine = np.linspace(0, 1, steps), np.linspace(0, 1, 401)
    arcs = np.stack([fine + 0.2 * np.sin(np.pi * fine), 0.9 * fine]) * np.arange(20, 20 + pairs)[:, None, None]
    apart = np.stack([t**2, t])
    cosines = np.broadcast_to(np.cos(apart[:, :, None] - apart[:, None]), (pairs, 2, steps, steps))
    return Sequences(t, pictures(pairs, 2, steps), arcs, cosines, "lpips-alex")


def gains():
    """Relative improvements in two models."""
    x = np.random.default_rng(0).gamma(4, 0.01, (2, 30))
    return {"VAE": x[0], "BiGAN": x[1] - 0.01}


def plane():
    """A volume element over a plane."""
    steps = np.linspace(-3, 3, 31)
    x, y = np.meshgrid(steps, steps)
    return VolumeMap(3 * np.exp(-((x - 1) ** 2) - y**2) - 0.2 * x, steps, np.zeros(2), np.eye(2))


def inverted():
    """An inversion of five targets by three runs each."""
    x = pictures(5, 4)
    targets, samples = x[:, 0], x[:, 1:] * 0.5 + 0.5 * x[:, :1]
    falling = 0.4 * np.exp(-np.arange(60) / np.array([5.0, 20, 60])[:, None])
    history = falling * np.linspace(0.5, 2, 5)[:, None, None]
    codes, losses = np.zeros((5, 3, DIM)), history[..., -1]
    return Inversion(
        codes, samples, samples, targets, losses, {"lpips-alex": losses, "mse": losses / 2}, losses, losses.astype(int),
        np.full((5, 3), "converged"), history, losses.argmin(axis=1), codes, None, 1.0, "adam", (-1.0, 1.0),
    )  # fmt: skip


def relation(count=190):
    """Consistencies against latent distances."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(5, 15, count), rng.uniform(0.5, 0.9, count)
    return analysis.DistanceRelation(x, y, r=-0.12, p=0.034, p_independent=0.01, name="log", draws=999, slope=-0.005,
                                     interval=(-0.009, -0.0002), count=20)  # fmt: skip


def alignment():
    """Eight layers."""
    found = analysis.layer_alignment(tensors(2, 8))
    return dataclasses.replace(found, names=(*(f"block{i}.conv" for i in range(7)), "sample"))
