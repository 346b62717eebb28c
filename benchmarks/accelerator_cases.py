"""The cases of ``benchmarks.accelerator`` that geomgan computes, on the tree that is first in the path."""

from __future__ import annotations

import functools
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import geomgan as gg
from benchmarks import random_models
from benchmarks.compilation import compiling
from benchmarks.float64 import metric_blocks, relative_errors
from benchmarks.kernels import profiled
from benchmarks.rows import Row, number

PRECISIONS = ("highest", "high", "tf32", "bf16")
RATE_OF = {"highest": "float32", "high": "TF32", "tf32": "TF32", "bf16": "bfloat16 arrays"}  # that a case is held to
SMALL_FEATURES = (32, 32, 64, 4, 8, 4, 4, 4, 4, 4, 4, 3)
BLOCK = 16  # of a large tensor, compared with float64
ENOUGH = 4.0  # seconds of repeated runs
LAYERS = [(False, 16, 16), (True, 16, 8)]
SMALL_DEEP = {"z_dim": 6, "class_embed_dim": 6, "channel_width": 2, "layers": LAYERS, "attention_layer_position": 1}
SMALL_STYLE = {"latent_dim": 12, "mapping": [12] * 2, "features": [12, 12, 8]}


@dataclass(frozen=True)
class Model:
    """A network of the table.

    Attributes:
        title: for the table.
        make: the generator at its published size.
        small: one of the same kind for a dry run.
        codes: of the field.
        tflop: nominal work of one code: a forward pass for each tangent, or what block Lanczos was planned to take.
        k: pairs; None: all, dense.
    """

    title: str
    make: Callable[[], gg.Generator]
    small: Callable[[], gg.Generator]
    codes: int
    tflop: float = float("nan")
    k: int | None = None


MODELS = {
    "biggan": Model(
        "BigGAN-deep-256, d = 256, dense",
        partial(random_models.biggan_deep, 256),
        partial(random_models.biggan_deep, 128, **SMALL_DEEP),
        codes=16,
        tflop=13.5,
    ),
    "stylegan2": Model(
        "StyleGAN2-256 in w, d = 512, dense",
        partial(random_models.stylegan2, 256, 1),
        partial(random_models.stylegan2, 16, 1, **SMALL_STYLE),
        codes=16,
        tflop=16.7,
    ),
    "fc6": Model(
        "DeePSim FC6, d = 4096, top 100",
        random_models.upconv_fc6,
        partial(random_models.upconv_fc6, latent_dim=32, features=SMALL_FEATURES),
        codes=16,
        tflop=3.0,
        k=100,
    ),
    "faces64": Model(
        "DCGAN of faces64, d = 100, dense",
        lambda: random_models.faces64()[0],
        lambda: gg.load("digits-dcgan"),
        codes=1000,
    ),
    "digits": Model(
        "digits-dcgan, d = 64, dense",
        lambda: gg.load("digits-dcgan"),
        lambda: gg.load("digits-dcgan"),
        codes=1000,
    ),
}


@dataclass(frozen=True)
class Run:
    """What a stage knows.

    Attributes:
        by: name of the tree, for the table.
        dry: small networks, few codes.
        lpips: folder of weights; None takes the package's, or random ones.
        scratch: folder that all stages share.
    """

    by: str
    dry: bool
    lpips: str | None
    scratch: Path

    def generator(self, name: str) -> gg.Generator:
        return _generator(name, self.dry)

    def distance(self, name: str) -> gg.distances.Distance:
        """LPIPS-alex; in a dry run that of the smallest samples only, because it is what compiles longest."""
        return gg.distances.mse() if self.dry and name not in ("digits", "faces64") else _lpips(self.lpips, self.dry)

    def codes(self, name: str, n: int | None = None) -> np.ndarray:
        n = n or (3 if self.dry else MODELS[name].codes)
        return np.asarray(self.generator(name).sample_latent(jax.random.key(0), n))

    def options(self, name: str, precision: str) -> dict[str, Any]:
        k = MODELS[name].k and (2 if self.dry else MODELS[name].k)
        tol = {} if k is None or precision == "highest" else {"tol": 1e-4}  # what refining in float32 reaches
        return {"k": k, "precision": precision, "solver": "block" if k else "dense", "progress": False, **tol}

    def share(self, rate: float, precision: str) -> str:
        """What part a rate is of the matrix product's in the format of a precision; nothing where one is not known."""
        rates = self.kept("rates")
        return "" if rate != rate or not rates else f"{rate / rates[RATE_OF[precision]]:.0%}"

    def beside(self, case: str, seconds: float) -> str:
        """How the seconds of a case compare with those of the present tree, which are kept."""
        if self.by == "now":
            self.keep("seconds", self.kept("seconds") | {case: seconds})
            return ""
        now = self.kept("seconds").get(case)
        return f"{seconds / now:.2g} x the seconds of now" if now else ""

    def kept(self, name: str) -> dict[str, float]:
        """Numbers that an earlier stage kept."""
        file = self.scratch / f"{name}.json"
        return json.loads(file.read_text()) if file.is_file() else {}

    def keep(self, name: str, numbers: dict[str, float]) -> None:
        (self.scratch / f"{name}.json").write_text(json.dumps(numbers))


@functools.cache
def _generator(name: str, dry: bool) -> gg.Generator:
    return MODELS[name].small() if dry else MODELS[name].make()


@functools.cache
def _lpips(folder: str | None, dry: bool) -> gg.distances.Distance:
    return random_models.lpips_alex(folder, **({"resize": 64} if dry else {}))[0]


def weights(run: Run) -> str:
    """Where the weights of the distance and of the faces are from."""
    named = random_models.lpips_alex(run.lpips)[1]
    return f"{named}, {'small networks' if run.dry else random_models.faces64()[1]}"


def rates(run: Run) -> Iterator[Row]:
    """Matrix products of 8192²: their rate, and the error of one of 1024² against float64."""
    side, small = (256, 64) if run.dry else (8192, 1024)
    rng, found = np.random.default_rng(0), {}
    a64 = rng.standard_normal((small, small))
    formats = {
        "float32": (jnp.float32, "highest"),
        "TF32": (jnp.float32, "tensorfloat32"),
        "bfloat16 asked of float32": (jnp.float32, "bfloat16"),
        "bfloat16 arrays": (jnp.bfloat16, "default"),
        "float64": (jnp.float64, "highest"),
    }
    for name, (dtype, asked) in formats.items():
        with jax.enable_x64(dtype == jnp.float64), jax.default_matmul_precision(asked):
            product = jax.jit(
                lambda a: jnp.matmul(a, a, preferred_element_type=jnp.promote_types(a.dtype, jnp.float32))
            )
            a = jnp.asarray(rng.standard_normal((side, side)).astype(np.float32), dtype)
            seconds = _median(lambda product=product, a=a: product(a).block_until_ready(), least=0.2)
            rounded = np.asarray(a64, np.float32).astype(np.float64)
            error = np.asarray(product(jnp.asarray(rounded, dtype)), np.float64) - rounded @ rounded
        found[name] = 2 * side**3 / seconds
        relative = np.linalg.norm(error) / np.linalg.norm(rounded @ rounded)
        yield Row(
            f"matrix product {side}²", "jax", name, number(seconds), number(found[name] / 1e12), error=f"{relative:.1e}"
        )
    run.keep("rates", found)


def cold(run: Run) -> Iterator[Row]:
    """The first result of BigGAN-deep-256: plan, compilation, one code, with nothing compiled before."""
    G, D, codes = run.generator("biggan"), run.distance("biggan"), run.codes("biggan")[:1]
    jax.block_until_ready(jnp.zeros(3) + 1)
    field, first = compiling(lambda: gg.metric_field(G, D, codes, **run.options("biggan", "tf32")))
    assert len(field.finished) == 1
    remark = "; ".join(filter(None, ["plan, compilation, one code", run.beside("cold", first.seconds)]))
    title = "first result of BigGAN-deep-256, cold"
    yield Row(title, run.by, "tf32", number(first.seconds), first=str(first), remark=remark)


def field(run: Run, name: str, precision: str) -> Iterator[Row]:
    """A field: seconds of a code, what the first call compiled."""
    model, G, D, codes = MODELS[name], run.generator(name), run.distance(name), run.codes(name)
    compute = lambda: gg.metric_field(G, D, codes, **run.options(name, precision))
    found, first = compiling(compute)
    seconds = _median(compute, ENOUGH) / len(codes)
    rate = float("nan") if run.dry else model.tflop * 1e12 / seconds
    if name == "biggan" and precision == "tf32" and found.tensors is not None:
        np.savez(run.scratch / "biggan.npz", code=codes[0], tensor=np.asarray(found.tensors[0]))
    good = f"{len(found.finished)} of {len(codes)} codes"
    for status, what in ((2, "not converged"), (3, "failed")):  # as MetricField says, also that of another tree
        if count := int((found.status == status).sum()):
            good += f", {count} {what}"
    if ratio := run.beside(f"{name}-{precision}", seconds):
        good += f"; {ratio}"
    known = [number(seconds), number(rate / 1e12), run.share(rate, precision), str(first)]
    yield Row(model.title, run.by, precision, *known, "", stated(found), good)


def errors(run: Run, name: str, n: int = 8) -> Iterator[Row]:
    """Relative errors of whole tensors in every precision against float64, beside what the result states."""
    G, D, codes = run.generator(name), run.distance(name), run.codes(name, 2 if run.dry else n)
    reference = run.scratch / f"{name}-float64.npz"
    if not reference.is_file():
        np.savez(reference, tensors=metric_blocks(G, D, codes))
    with np.load(reference) as kept:
        expected = kept["tensors"]
    for precision in PRECISIONS:
        found = gg.metric_field(G, D, codes, **run.options(name, precision))
        relative = relative_errors(np.asarray(found.tensors), expected)
        values = np.linalg.eigvalsh(expected)[:, ::-1]
        moved = np.abs(found.values - values).max(axis=1) / values[:, 0]
        text = f"{np.median(relative):.1e}, worst {relative.max():.1e}"
        remark = f"whole tensor of {len(codes)} codes; worst eigenvalue off by {moved.max():.1e} of the largest"
        yield Row(f"{MODELS[name].title}: error", run.by, precision, error=text, stated=stated(found), remark=remark)


def large_error(run: Run, precision: str) -> Iterator[Row]:
    """The error of BigGAN-deep-256's tensor, by a block of it that float64 can pay for."""
    G, D, codes = run.generator("biggan"), run.distance("biggan"), run.codes("biggan")[:1]
    reference = run.scratch / "biggan-float64.npz"
    if not reference.is_file():
        np.savez(reference, tensors=metric_blocks(G, D, codes, rows=min(BLOCK, codes.shape[1]), together=4))
    with np.load(reference) as kept:
        expected = kept["tensors"]
    found = gg.metric_field(G, D, codes, **run.options("biggan", precision))
    rows = expected.shape[1]
    relative = relative_errors(np.asarray(found.tensors)[:, :rows, :rows], expected)[0]
    remark = f"of the leading {rows} x {rows} block at one code"
    yield Row(
        f"{MODELS['biggan'].title}: error", run.by, precision, "", "", "", "", f"{relative:.1e}", stated(found), remark
    )


def profile(run: Run, name: str, precision: str = "tf32") -> Iterator[Row | str]:
    """Where the time of four codes goes, by kind of kernel."""
    G, D, codes = run.generator(name), run.distance(name), run.codes(name)[: 2 if run.dry else 4]
    compute = lambda: gg.metric_field(G, D, codes, **run.options(name, precision))
    compute()
    found = profiled(compute)
    title = f"{MODELS[name].title}: {len(codes)} codes under the profiler"
    yield Row(title, run.by, precision, number(found.wall), remark=f"busy {found.busy / found.wall:.0%}; kinds below")
    yield f"**{title}, {run.by}, {precision}.** " + ". ".join(found.lines()) + "."


def stated(found: Any) -> str:
    """The relative error that a field states, where it states one, and its noise floor as a part of the largest."""
    floor = float(np.nanmedian(found.noise_floor / np.abs(found.values).max(axis=1)))
    error = getattr(found, "relative_error", None)
    said = "" if error is None else f"error {float(np.nanmax(error)):.1e}, "
    return f"{said}floor {floor:.1e}"


def _median(call: Callable[[], Any], least: float) -> float:
    """The median of calls for about so many seconds, three at least unless one takes longer than that."""
    runs: list[float] = []
    while not runs or (sum(runs) < least and len(runs) < 20):
        start = time.perf_counter()
        call()
        runs.append(time.perf_counter() - start)
    return statistics.median(runs)


Case = tuple[str, float, Callable[[Run], Iterator[Any]]]  # title, seconds that it takes at most, rows
MAIN: list[Case] = [
    ("cold start", 60, cold),
    ("BigGAN-deep-256, tf32", 20, partial(field, name="biggan", precision="tf32")),
    ("StyleGAN2-256, tf32", 45, partial(field, name="stylegan2", precision="tf32")),
    ("FC6, tf32", 40, partial(field, name="fc6", precision="tf32")),
    ("faces64, tf32", 40, partial(field, name="faces64", precision="tf32")),
    ("digits, tf32", 30, partial(field, name="digits", precision="tf32")),
]
STAGES: dict[str, list[Case]] = {
    "now": [("rates", 15, rates), *MAIN],
    "before": MAIN,
    "more": [
        ("errors of faces64", 40, partial(errors, name="faces64")),
        ("errors of digits", 30, partial(errors, name="digits")),
        ("BigGAN-deep-256, bf16", 50, partial(field, name="biggan", precision="bf16")),
        ("profile of BigGAN-deep-256", 25, partial(profile, name="biggan")),
        ("profile of FC6", 20, partial(profile, name="fc6")),
        ("profile of StyleGAN2-256", 30, partial(profile, name="stylegan2")),
        ("faces64, bf16", 40, partial(field, name="faces64", precision="bf16")),
        ("StyleGAN2-256, bf16", 50, partial(field, name="stylegan2", precision="bf16")),
        ("FC6, bf16", 40, partial(field, name="fc6", precision="bf16")),
        ("error of BigGAN-deep-256, tf32", 60, partial(large_error, precision="tf32")),
        ("error of BigGAN-deep-256, bf16", 30, partial(large_error, precision="bf16")),
        ("BigGAN-deep-256, high", 60, partial(field, name="biggan", precision="high")),
        ("faces64, highest", 40, partial(field, name="faces64", precision="highest")),
        ("faces64, high", 40, partial(field, name="faces64", precision="high")),
        ("digits, bf16", 30, partial(field, name="digits", precision="bf16")),
        ("digits, high", 30, partial(field, name="digits", precision="high")),
        ("digits, highest", 30, partial(field, name="digits", precision="highest")),
        ("StyleGAN2-256, high", 70, partial(field, name="stylegan2", precision="high")),
        ("FC6, high", 50, partial(field, name="fc6", precision="high")),
        ("FC6, highest", 60, partial(field, name="fc6", precision="highest")),
        ("BigGAN-deep-256, highest", 150, partial(field, name="biggan", precision="highest")),
        ("StyleGAN2-256, highest", 150, partial(field, name="stylegan2", precision="highest")),
    ],
}
