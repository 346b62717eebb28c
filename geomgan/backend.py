"""Every number that depends on the device, in one table; nothing else in geomgan asks for the platform.

The CPU's were measured on two cores with DCGAN-64, BigGAN-deep-128, StyleGAN2-64 and small VAEs (``benchmarks.peers``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, update_wrapper
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

PRECISIONS = ("highest", "high", "tf32", "bf16")  # the names that the argument `precision` takes


@dataclass(frozen=True)
class Format:
    """How float32 products of tangents are computed.

    Attributes:
        bits: of the mantissa of what is multiplied.
        halves: whether float32 numbers are split into two such ones, for three products.
        narrow: whether products are kept in that format too: arrays between products are half as large.
        native: whether the device multiplies such numbers; otherwise they are rounded, and multiplied in float32.
        error: of a metric tensor, relative (Frobenius norm): it moves all eigenvalues, the largest too.
        rounding: relative, of a Jacobian as its small singular values see it: what decides where noise begins.
    """

    bits: int
    halves: bool = False
    narrow: bool = False
    native: bool = True
    error: float = 4e-6
    rounding: float = 2.0**-23

    def __str__(self) -> str:
        if self.bits == 23:
            return "float32"
        kind = {10: "TF32", 7: "bfloat16"}[self.bits]
        if self.halves:
            return f"three products of {kind} halves"
        return kind if self.native else f"{kind}, emulated by rounding"


# Errors are twice those measured of StyleGAN2 with its mapping network, 6 to 15 times those of digits-dcgan, faces64.
FLOAT32 = Format(23)
SPLIT = Format(10, halves=True, error=6e-6, rounding=2.0**-21)
TF32 = Format(10, error=4e-3, rounding=2.0**-14)
BF16 = Format(7, narrow=True, error=3e-2, rounding=2.0**-11)
_EMULATED = (
    *(("highest", FLOAT32), ("high", FLOAT32)),
    *(("tf32", replace(TF32, native=False)), ("bf16", replace(BF16, native=False))),
)
_ALWAYS = "always_float32"


@dataclass(frozen=True)
class Backend:
    """What suits one kind of device.

    Attributes:
        name: ``"cpu"`` or ``"accelerator"``.
        chunk: tangents pushed together at most: more leave a CPU's cache and gain nothing.
        whole_bytes: of the largest activations of all tangents, up to which one metric needs no loop over chunks.
        fast_tangents: tangents from which kernels are prepared for Winograd's algorithms; None where that is no gain
            (a GPU's own library does as much).
        together_bytes: of Jacobians of codes computed together; enough to fill the device, and no more.
        together_flops: of their work.
        most_together: codes computed together at most.
        steps: batches under way at a time: while one is at an operation that fills no device, another goes on.
        host_threads: whether batches under way need threads of the host (elsewhere the device has a queue of its own).
        one_program: dimensions up to which one program computes whole tensors of several codes.
        in_turn: whether a program should end before the next is queued (on CPU a queued one gets fewer threads).
        overwrite: whether Jacobians of a field should overwrite one another (new ones are cleared page by page).
        gram_on_host: whether BLAS sums Gram matrices (``syrk``, half the work) rather than XLA.
        gram_block: bytes of columns that are widened to float64 (or split) at a time: a processor's cache, or products
            that fill a device.
        gram_split: whether Gram matrices are summed from parts of float32 whose products are exact, rather than in
            float64, which consumer's devices have at 1/32 or 1/64 of float32's rate.
        solve_on_device: whether eigenpairs of many codes are found in a program on the device, rather than by LAPACK
            on the host.
        factor_in_turn: whether programs factorise matrices one after the other. jaxlib's LAPACK kernels for the CPU
            share several out to the threads that run programs, and wait there (0.10.2): as many calls at a time as
            there are threads, of several devices or of branches of one program, wait for each other for ever.
        push: forward passes that one of many batched JVPs costs.
        product: forward passes that a product ``Jᵀ(J v)`` costs, one JVP and one VJP.
        heavy_flops: a forward pass above this fills the device alone.
        heavy_bytes: a product that reads more than this fills the device alone.
        phases: channels up to which transposed convolutions are computed by phases, without dilated zeros. Zeros cost
            a GPU what numbers cost: there every one is.
        upsampled: pixels from which upsampling is folded into the convolution behind it.
        patches: whether a kernel that is wider than its map is multiplied with the map's patches, or transposed by
            phases: XLA's convolution then takes a path on CPU that is 7 to 10 times slower, with zeros between
            pixels 10 to 120 times.
        attention_bytes: of the attention weights of one sample that are held at a time; all of them where they are no
            more, without a loop.
        consistency_bytes: of products in one step of the consistency matrix.
        near_bytes: of the widest maps of samples that are computed together in a training or a search: what a cache
            holds.
        walk_samples: samples of walks computed together at most.
        walk_values: of their numbers together.
        blas_rows: matrices up to so many rows are decomposed by one thread: OpenBLAS's threads go on spinning for
            about 30 ms after each call, on cores that the next program needs.
        product_side: of the matrix product whose rate stands for the device's.
        memory_share: of its free memory that a computation may take.
        efficiency: share of the matrix product's rate that networks reach, by solver.
        compiler: options of XLA for our largest programs. On CPU, LLVM's cheaper passes: networks spend their time in
            the libraries behind convolutions and products, and programs compile in two thirds of the time.
        formats: what products of tangents are computed in, by the names that the argument ``precision`` takes.
    """

    name: str
    chunk: int
    whole_bytes: int
    fast_tangents: int | None
    together_bytes: int
    together_flops: float
    most_together: int
    steps: int
    host_threads: bool
    one_program: int
    in_turn: bool
    overwrite: bool
    gram_on_host: bool
    gram_block: int
    gram_split: bool
    solve_on_device: bool
    factor_in_turn: bool
    push: float
    product: float
    heavy_flops: float
    heavy_bytes: float
    phases: int
    upsampled: int
    patches: bool
    attention_bytes: int
    consistency_bytes: int
    near_bytes: int
    walk_samples: int
    walk_values: int
    blas_rows: int
    product_side: int
    memory_share: float
    efficiency: tuple[tuple[str, float], ...]
    compiler: tuple[tuple[str, int | bool], ...]
    formats: tuple[tuple[str, Format], ...]


CPU = Backend(
    name="cpu",
    chunk=25,
    whole_bytes=32 * 2**20,
    fast_tangents=16,
    together_bytes=64 * 2**20,
    together_flops=1.2e9,
    most_together=64,
    steps=2,
    host_threads=True,
    one_program=32,
    in_turn=True,
    overwrite=True,
    gram_on_host=True,
    gram_block=2**21,
    gram_split=False,
    solve_on_device=False,
    factor_in_turn=True,
    push=1.2,
    product=5.5,
    heavy_flops=2e9,
    heavy_bytes=128 * 2**20,
    phases=256,
    upsampled=256,
    patches=True,
    attention_bytes=2**19,
    consistency_bytes=2**22,
    near_bytes=4 * 2**20,
    walk_samples=16,
    walk_values=2**20,
    blas_rows=512,
    product_side=2048,
    memory_share=0.5,
    efficiency=(("dense", 0.7), ("block", 0.35), ("arpack", 0.15)),
    compiler=(("xla_backend_optimization_level", 1),),
    formats=_EMULATED,
)
ACCELERATOR = replace(  # not measured yet: what differs for a reason
    CPU,
    name="accelerator",
    chunk=128,
    whole_bytes=0,
    fast_tangents=None,
    together_bytes=8 * 2**30,
    together_flops=4e12,
    most_together=4096,
    host_threads=False,
    one_program=0,
    in_turn=False,
    overwrite=False,
    gram_on_host=False,
    gram_block=2**28,
    solve_on_device=True,
    factor_in_turn=False,
    heavy_flops=float("inf"),
    heavy_bytes=float("inf"),
    phases=2**31,
    upsampled=0,
    patches=False,
    attention_bytes=2**25,
    consistency_bytes=2**28,
    near_bytes=2**30,
    walk_samples=256,
    walk_values=2**23,
    product_side=8192,
    memory_share=0.8,
    compiler=(),
    formats=(("highest", FLOAT32), ("high", SPLIT), ("tf32", TF32), ("bf16", BF16)),
)
WITHOUT_TF32 = replace(ACCELERATOR, formats=_EMULATED)


# Compute capabilities of NVIDIA's devices with float64 at half of float32's rate (P100, V100, A100, H100, B200).
FULL_FLOAT64 = ("6.0", "7.0", "8.0", "9.0", "10.0")


def backend(device: jax.Device | None = None) -> Backend:
    """The numbers of a device; by default of the one that JAX computes on."""
    platform = jax.default_backend() if device is None else device.platform
    if platform == "cpu":
        return CPU
    capability = str(getattr(device or jax.local_devices()[0], "compute_capability", ""))
    here = ACCELERATOR if _has_tf32(capability) else WITHOUT_TF32
    return replace(here, gram_split=True) if _is_poor_in_float64(capability) else here


def _has_tf32(capability: str) -> bool:
    """Whether a device multiplies TF32 and bfloat16: NVIDIA's since Ampere, which number their capability 8.0."""
    return bool(re.fullmatch(r"([89]|\d\d+)\.\d+", capability))


def _is_poor_in_float64(capability: str) -> bool:
    """Whether NVIDIA made a device for consumers, or for inference; of others nothing is known."""
    return bool(re.fullmatch(r"\d+\.\d+", capability)) and capability not in FULL_FLOAT64


class top_level_jit:
    """``jax.jit`` for a function that no other program calls: compiled with the device's ``compiler`` options."""

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        update_wrapper(self, function)
        self._jit: Callable[[Backend], Any] = cache(
            lambda device: jax.jit(function, compiler_options=dict(device.compiler) or None, **options)
        )

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._jit(backend())(*arguments, **options)

    def lower(self, *arguments: Any, **options: Any) -> Any:
        """As that of ``jax.jit``."""
        return self._jit(backend()).lower(*arguments, **options)


def device_name() -> str:
    """The device that JAX computes on, as results name it: ``"cpu: cpu"``, ``"gpu: NVIDIA H100 80GB HBM3"``."""
    device = jax.devices()[0]
    return f"{device.platform}: {device.device_kind}"


def in_float32() -> Any:
    """The context in which what is traced multiplies in float32, whatever the device would rather do."""
    return jax.default_matmul_precision("highest")


@contextmanager
def always_float32() -> Iterator[None]:
    """Products that stay in float32 whatever ``precision`` says: differences of large sums are taken of them."""
    with jax.named_scope(_ALWAYS):  # a name that derivatives of a program keep, and that changes no program
        yield


def is_always_float32(equation: Any) -> bool:
    """Whether an equation of a traced program was traced in :func:`always_float32`."""
    return _ALWAYS in str(equation.source_info.name_stack)


def format_of(precision: str, dtype: Any = jnp.float32, device: jax.Device | None = None) -> Format:
    """What products of tangents in a ``dtype`` are computed in; names are of float32, all others stay as they are."""
    return dict(backend(device).formats)[precision] if dtype == jnp.float32 else FLOAT32


def epsilon(dtype: Any, precision: str) -> float:
    """Relative rounding of one operation of the network: the spacing of ``dtype``, or of coarser matrix products."""
    return max(float(jnp.finfo(dtype).eps), format_of(precision, dtype).rounding if dtype == jnp.float32 else 0.0)


def tensor_error(dtype: Any, precision: str) -> float:
    """Relative error of a metric tensor (Frobenius norm) that products of tangents in ``precision`` have at most."""
    spacing = float(jnp.finfo(dtype).eps) / float(jnp.finfo(jnp.float32).eps)
    return format_of(precision).error if dtype == jnp.float32 else FLOAT32.error * spacing


@contextmanager
def usual_promotion() -> Iterator[None]:
    """JAX's usual promotion of ranks and types, in which networks are written, where a user has chosen a strict one."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


LEAST = {str: 2**20, int: 2**10}  # bytes that a number without a unit can mean: of a text, otherwise
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def memory_budget(memory: int | str | None = None) -> int:
    """Bytes that one device may use.

    Args:
        memory: as asked: bytes, or a text such as ``"8GB"`` or ``"500 MiB"`` (powers of 1024). None takes a share of
            what is free: 80 % of an accelerator's, half of the host's for the CPU.

    Raises:
        ValueError: ``memory`` is not a positive size, or a number so small that its unit must be missing.
    """
    if memory is not None:
        return _parsed(memory)
    device = jax.local_devices()[0]
    kind = backend(device)
    statistics = None if kind is CPU else device.memory_stats()
    if statistics and "bytes_limit" in statistics:
        return int(kind.memory_share * (statistics["bytes_limit"] - statistics.get("bytes_in_use", 0)))
    return int(CPU.memory_share * free_on_host() / max(1, len(jax.local_devices())))


def readable(size: float) -> str:
    """A size as people write it."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError


def _parsed(memory: int | str) -> int:
    match = re.fullmatch(r"\s*([0-9.]+)\s*([KMGT]?)(?:i?B)?\s*", str(memory), re.IGNORECASE)
    try:
        size = int(float(match[1]) * UNITS[match[2].upper()]) if match else 0
    except ValueError:
        size = 0
    if size <= 0:
        raise ValueError(f"memory is {memory!r}; expected a positive number of bytes, or a text such as '8GB'.")
    least = LEAST[str if isinstance(memory, str) else int]
    if size < least and str(memory).strip()[-1].isdigit():
        meant = f"{size}GB" if size < 1024 else f"{size}MB"
        raise ValueError(f"memory is {size} bytes; expected at least {readable(least)}. Did you mean {meant!r}?")
    return size


def free_on_host() -> float:
    """Bytes that this process can still take, within the limits of its container; what files are cached gives way."""
    free = 8.0 * 2**30  # where the system does not say
    information = Path("/proc/meminfo")
    if information.exists():
        available = next(line for line in information.read_text().splitlines() if line.startswith("MemAvailable"))
        free = int(available.split()[1]) * 1024.0
    limit, used, kinds = (Path("/sys/fs/cgroup") / f"memory.{name}" for name in ("max", "current", "stat"))
    if limit.exists() and used.exists() and limit.read_text().strip() != "max":
        stat = dict(line.split() for line in kinds.read_text().splitlines()) if kinds.exists() else {}
        cached = sum(int(stat.get(name, 0)) for name in ("active_file", "inactive_file"))
        free = min(free, max(int(limit.read_text()) - int(used.read_text()) + cached, 0))
    return free
