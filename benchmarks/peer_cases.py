"""The cases of ``benchmarks.peers``: each checks that the torch networks compute what geomgan does."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

import geomgan as gg
from benchmarks import random_models, torch_generators
from benchmarks import torch_peers as peers
from benchmarks.agreement import CODES as CODES_ELSEWHERE
from benchmarks.agreement import agree, agree_at, agree_over_codes, error
from benchmarks.measure import timed
from geomgan.fields.devices import device_mesh, replicate
from geomgan.fields.plan import plan_field
from geomgan.fields.programs import Rows
from geomgan.metric.chunks import tangent_chunk
from geomgan.metric.maps import Pushforward
from geomgan.metric.pair import bind, bound, profile_of

TOP, TOL = 20, 1e-6
AGREE = 2e-3  # of the metric, relative to its largest entry
CODES, LOOP_CODES = 32, 4
SMALL = 16  # dimensions up to which all tensors of a field are computed in one program by hand as well
ROWS, TANGENTS, PRODUCTS = 24, 32, 8  # BigGAN-deep: measured of the peers
STYLE_ROWS, STYLE_TANGENTS, PATIENCE = 8, 64, 100.0  # StyleGAN2; ours is measured whole if it takes less (seconds)


@dataclass(frozen=True)
class Method:
    """One way to compute the result of a case: ``start()`` once, then ``step`` on what that gave.

    Attributes:
        name: for the table.
        step: the part that repeats; returns a part of the metric, or of another result, as numpy.
        start: what is done once.
        times: how often ``step`` is done in the whole.
        part: of the reference, what ``step`` must give (its leading columns, if the reference has fewer).
        goals: the columns "at least" and "aim".
        extrapolated: from what, for the table.
    """

    name: str
    step: Callable[[Any], np.ndarray]
    start: Callable[[], Any] = lambda: None
    times: float = 1.0
    part: Callable[[np.ndarray], np.ndarray] = lambda reference: reference
    goals: tuple[str, str] = ("", "")
    extrapolated: str = ""


@dataclass(frozen=True)
class Case:
    """Methods of one block of the table, ours first; ``gflop`` is the work of a dense metric, 0 elsewhere."""

    name: str
    methods: list[Method]
    gflop: float = 0.0
    short: bool = False


@dataclass(frozen=True, eq=False)  # compared by identity: hashable
class Model:
    """A generator, a distance that fits it, a code or several, and the same in torch."""

    name: str
    G: gg.Generator
    D: gg.distances.Distance
    z: np.ndarray
    phi: peers.Embedding = field(repr=False)
    distance: peers.Distance = field(repr=False)

    @property
    def gflop(self) -> float:
        """Of a dense metric: one forward pass for each tangent."""
        return self.G.latent_dim * profile_of(bound(self.G, self.D)).flops / 1e9


def model(name: str, G: gg.Generator, D: gg.distances.Distance, codes: int = 1) -> Model:
    """A model whose torch version was found to make the same images.

    Raises:
        SystemExit: it does not.
    """
    D = bind(G, D)
    z = np.asarray(G.sample_latent(jax.random.key(0), codes))
    image = torch_generators.generator(G)
    for code in z[:2]:
        with torch.no_grad():
            theirs = image(torch.tensor(code))[0].permute(1, 2, 0).numpy()
        agree(f"{name}: images", error(theirs, np.asarray(G(code))), 1e-4)
    phi = peers.embedding(G, D)
    return Model(name, G, D, z if codes > 1 else z[0], phi, peers.squared_distance(G, D))


def products_elsewhere(m: Model) -> list[float]:
    """How much one product with the metric differs between torch and geomgan, at other codes than the model's."""
    codes = np.asarray(m.G.sample_latent(jax.random.key(1), CODES_ELSEWHERE))
    v = np.random.default_rng(2).standard_normal(m.G.latent_dim).astype(np.float32)
    theirs = lambda z: peers.hessian_product(peers.gradient(m.distance, z), v) / 2
    return [error(theirs(z), np.asarray(gg.metric_operator(m.G, m.D, z).matvec(v))) for z in codes]


def checked(
    m: Model, name: str, methods: list[Method], reference: np.ndarray, gflop: float = 0.0, *, short: bool = False
) -> Case:
    """The case, after every method but the first, which made the reference, ran once and agreed with it.

    Where the model has several codes, the first axis of every result is theirs.
    """
    for method in methods[1:]:
        expected = method.part(reference)
        got = method.step(method.start())[..., : expected.shape[-1]]
        what = f"{name}, {method.name}"
        if m.z.ndim == 2 and got.shape == expected.shape:
            agree_over_codes(what, [error(*pair) for pair in zip(got, expected, strict=True)], AGREE)
        else:
            agree_at(what, error(got, expected), AGREE, lambda: products_elsewhere(m))
    return Case(name, methods, gflop, short)


def dcgan_field(full: bool) -> Case:
    G, title = random_models.faces64()
    m = model(f"{title}, LPIPS-squeeze, {CODES} codes", G, random_models.lpips_squeeze(), CODES)
    return _field(m, CODES if full else LOOP_CODES, ("14", "18"))


def vae_field(full: bool) -> Case:
    del full
    G = random_models.vae_decoder(16)
    m = model(f"VAE decoder, convolutions (random weights), d = 16, mse, {CODES} codes", G, gg.distances.mse(), CODES)
    return _field(m, CODES, ("50", "80"))


def dense_vae_field(full: bool) -> Case:
    del full
    G = random_models.dense_vae_decoder(16)
    m = model(f"VAE decoder, dense layers (random weights), d = 16, mse, {CODES} codes", G, gg.distances.mse(), CODES)
    return _field(m, CODES, ("50", "80"))


def vae_lpips_field(full: bool) -> Case:
    del full
    G, D = random_models.dense_vae_decoder(16), random_models.lpips_squeeze()
    m = model(f"VAE decoder, dense layers (random weights), d = 16, LPIPS-squeeze, {CODES} codes", G, D, CODES)
    return _field(m, CODES, ("50", "80"))


def _field(m: Model, codes: int, goals: tuple[str, str]) -> Case:
    def ours() -> np.ndarray:
        return np.asarray(gg.metric_field(m.G, m.D, m.z, progress=False).tensors)

    loop = Method(
        "torch double backward, codes and rows in a loop",
        lambda _: peers.hessian_loop(m.distance, m.z[:codes]) / 2,
        times=CODES / codes,
        part=lambda g: g[:codes],
        goals=goals,
        extrapolated="" if codes == CODES else f"{codes} codes x {CODES / codes:g}",
    )
    methods = [Method("geomgan metric_field (with eigenpairs)", lambda _: ours()), loop]
    if m.G.latent_dim <= SMALL:
        methods.insert(0, _by_hand(m))
    return checked(m, m.name, methods, ours(), CODES * m.gflop, short=True)


def _by_hand(m: Model) -> Method:
    """All metric tensors in one program of the user's own, in single precision, as many codes together as a field."""
    batch = plan_field(m.G, m.D, len(m.z), estimate=False).batch
    every = jax.jit(lambda G, D, codes: jax.lax.map(partial(gg.metric_tensor, G, D), codes, batch_size=batch))
    name = f"jit(lax.map(geomgan.metric_tensor, batch_size={batch}))"
    return Method(name, lambda _: np.asarray(every(m.G, m.D, m.z)))


def dcgan(full: bool) -> Case:
    del full
    G, title = random_models.faces64()
    m = model(f"{title}, LPIPS-squeeze, one metric", G, random_models.lpips_squeeze())
    forward = lambda chunk: Method(
        f"torch.func.jvp, {chunk} tangents together",
        lambda _: peers.gauss_newton_block(m.phi, m.z, len(m.z), chunk),
    )
    methods = [
        _dense(m),
        Method("torch.func.jacfwd", lambda _: peers.gauss_newton(m.phi, m.z), goals=("1.7", "2.5")),
        forward(50),
        forward(25),
        forward(10),
    ]
    return checked(m, m.name, methods, dense_metric(m), m.gflop, short=True)


@functools.cache
def biggan_model() -> Model:
    G, D = random_models.biggan_deep(128), random_models.lpips_squeeze()
    return model("BigGAN-deep-128 (random weights), LPIPS-squeeze", G, D)


@functools.cache
def dense_metric(m: Model) -> np.ndarray:
    return np.asarray(gg.metric_tensor(m.G, m.D, m.z))


def _dense(m: Model, goals: tuple[str, str] = ("", "")) -> Method:
    compute = lambda _: np.asarray(gg.metric_tensor(m.G, m.D, m.z))
    return Method("geomgan metric_tensor", compute, goals=goals)


def _double_backward(m: Model, rows: int, goals: tuple[str, str]) -> Method:
    """Row by row. Where not all rows are measured, the first one, which is slower, counts once."""
    dim = len(m.z)
    first = 0 if rows == dim else 1

    def start() -> peers.Gradient:
        gradient = peers.gradient(m.distance, m.z)
        peers.hessian_rows(gradient, range(first))
        return gradient

    times = (dim - first) / rows
    return Method(
        "torch double backward, row by row",
        lambda gradient: peers.hessian_rows(gradient, range(first, first + rows)) / 2,
        start,
        times,
        part=lambda g: g[first : first + rows],
        goals=goals,
        extrapolated="" if rows == dim else f"graph and first row once, {rows} rows x {times:.3g}",
    )


def biggan(full: bool) -> Case:
    m = biggan_model()
    dim = len(m.z)
    count = dim if full else TANGENTS
    forward = lambda chunk: Method(
        f"torch.func.jvp, {chunk} tangents together",
        lambda _: peers.gauss_newton_block(m.phi, m.z, count, chunk),
        times=dim / count,
        part=lambda g: g[:count, :count],
        goals=("2.2", "3.5"),
        extrapolated="" if full else f"{count} tangents x {dim / count:g}",
    )
    methods = [
        _dense(m, ("48 %, 2300 MB", "65 %, 1200 MB")),
        _double_backward(m, dim if full else ROWS, ("4.3", "6")),
        forward(32),
        forward(8),
    ]
    return checked(m, f"{m.name}, one metric", methods, dense_metric(m), m.gflop)


def biggan_top(full: bool) -> Case:
    m = biggan_model()
    dim, g = len(m.z), dense_metric(m)
    values = np.linalg.eigvalsh(g.astype(np.float64))[::-1][:TOP]
    goals = ("1.5", "2.5")

    def ours() -> np.ndarray:
        return gg.eigenpairs(gg.metric_operator(m.G, m.D, m.z), TOP, solver="block", tol=TOL).values

    name = f"torch double backward, eigsh top {TOP}"
    start = lambda: peers.gradient(m.distance, m.z)
    if full:
        peer = Method(name, lambda first: peers.top_pairs(first, TOP, TOL) / 2, start, goals=goals)
    else:
        # what scipy does depends on the matrix alone: counted on the dense metric, in the precision of the products
        _, count = peers.lanczos(lambda v: g @ v.reshape(-1).astype(np.float32), dim, TOP, TOL)
        V = np.random.default_rng(1).standard_normal((PRODUCTS, dim)).astype(np.float32)
        peer = Method(
            name,
            lambda first: np.stack([peers.hessian_product(first, v) for v in V]) / 2,
            start,
            times=count / PRODUCTS,
            part=lambda _: V @ g,
            goals=goals,
            extrapolated=f"{PRODUCTS} products x {count / PRODUCTS:.3g} ({count} counted on the dense metric)",
        )
    agree(f"{m.name}, top {TOP}, against the dense metric", error(ours(), values), 1e-3)
    block = Method(f"geomgan top {TOP}, matrix-free", lambda _: ours(), goals=("900 MB", "600 MB"))
    return checked(m, f"{m.name}, top {TOP}", [block, peer], values)


def stylegan2(full: bool, multiplier: int = 2) -> Case:
    """Channel multiplier 2, the default of the common torch version (there 64 pixels have 512 channels throughout)."""
    G = random_models.stylegan2(64, channel_multiplier=multiplier)
    m = model(
        f"StyleGAN2-64 (random weights, channel multiplier {multiplier}), w, LPIPS-squeeze, one metric",
        G,
        random_models.lpips_squeeze(),
    )
    dim = len(m.z)
    peer = _double_backward(m, dim if full else STYLE_ROWS, ("7", "12"))
    part, times = slice_of_metric(m, STYLE_TANGENTS), dim / STYLE_TANGENTS
    block = part()  # compiles
    if full or times * timed(part) < PATIENCE:
        return checked(m, m.name, [_dense(m), peer], dense_metric(m), m.gflop)
    ours = Method(
        "geomgan, pushed tangents and their Gram matrix",
        lambda _: part(),
        times=times,
        extrapolated=f"{STYLE_TANGENTS} tangents x {times:g}",
    )
    return checked(m, m.name, [ours, peer], block, m.gflop)


def stylegan2_256(full: bool) -> Case:
    """Channel multiplier 1, as GAN-Geometry has it; what is looked at is the share of the matrix product's rate."""
    del full
    G = random_models.stylegan2(256, channel_multiplier=1)
    D = bind(G, gg.distances.mse())
    gflop = G.latent_dim * profile_of(bound(G, D)).flops / 1e9
    name = "StyleGAN2-256 (random weights, channel multiplier 1), w, mse, one metric"
    z = np.asarray(G.sample_latent(jax.random.key(0), 1)[0])
    compute = lambda _: np.asarray(gg.metric_tensor(G, D, z))
    return Case(name, [Method("geomgan metric_tensor", compute, goals=("45 %", ""))], gflop)


def slice_of_metric(m: Model, count: int) -> Callable[[], np.ndarray]:
    """A call that pushes the first ``count`` tangents, and the block of the metric that they make."""
    mesh, dim = device_mesh(1), len(m.z)
    program = Rows(mesh, Pushforward, "highest", tangent_chunk(dim), codes=1, dim=dim)
    block = replace(program, dim=count)  # of the metric: its Gram matrices are of so many rows
    pair = program.prepared(replicate(bound(m.G, m.D), mesh))
    codes, tangents = jnp.asarray(m.z)[None], jnp.eye(dim)[:count]

    def call() -> np.ndarray:
        return np.asarray(block.tensors(program(pair, codes, tangents))[0])

    return call


CASES: dict[str, Callable[[bool], Case]] = {
    "dcgan-field": dcgan_field,
    "dcgan": dcgan,
    "biggan": biggan,
    "biggan-top": biggan_top,
    "stylegan2": stylegan2,
    "stylegan2-256": stylegan2_256,
    "vae-field": vae_field,
    "dense-vae-field": dense_vae_field,
    "vae-lpips-field": vae_lpips_field,
}
