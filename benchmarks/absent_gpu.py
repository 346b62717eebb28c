"""Programs of metric fields as XLA compiles them for an H100, on a machine that has none: kernels and their bytes.

    python -m benchmarks.absent_gpu CASE --cuda FOLDER [--precision tf32] [--codes 4] [--batch 2] [--devices 1]

It needs the packages ``jax-cuda12-plugin`` and ``jax-cuda12-pjrt`` of JAX's own version, and the folder of
``nvidia-cuda-nvcc-cu12`` in ``--cuda``; no driver. Libraries choose among their algorithms only on a real device:
what is shown of a convolution is what it must read and write. ``CASE`` is one of the table's (benchmarks.accelerator).
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BANDWIDTH = 3.35e12  # bytes a second
H100 = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152
  shared_memory_per_core: 233472 threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  memory_bandwidth: 3352320000000 l2_cache_size: 52428800 clock_rate_ghz: 1.98 device_memory_size: 84929347584
  shared_memory_per_block_optin: 232448 cuda_compute_capability { major: 9 }
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 8 }
runtime_version { major: 12 minor: 8 patch: 0 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""


def devices(count: int, cuda: str) -> list[Any]:
    """So many H100s to compile for; to be called before JAX computes anything."""
    os.environ["JAX_SKIP_CUDA_CONSTRAINTS_CHECK"] = "1"
    os.environ["PATH"] = f"{cuda}/bin{os.pathsep}{os.environ['PATH']}"
    os.environ["XLA_FLAGS"] = f"--xla_gpu_autotune_level=0 --xla_gpu_cuda_data_dir={cuda}"
    from jax.experimental import topologies

    return list(topologies.get_topology_desc(platform="cuda", target_config=H100, topology=f"1x1x{count}").devices)


def compiled(name: str, precision: str, codes: int, batch: int | None, targets: Sequence[Any]) -> Any:
    """The first program of a case's field, compiled for these devices."""
    import jax

    from benchmarks.accelerator_cases import MODELS
    from benchmarks.random_models import lpips_alex
    from geomgan import backend
    from geomgan.fields.devices import device_mesh
    from geomgan.fields.plan import chosen
    from geomgan.metric.pair import bound, with_programs

    backend.CPU = backend.ACCELERATOR
    model = MODELS[name]
    pair = with_programs(bound(model.make(), lpips_alex()[0]))
    sizes: dict[str, Any] = {"chunk": None, "batch": batch, "groups": None}
    solver = "block" if model.k else "dense"
    plan = chosen(pair, codes, k=model.k, solver=solver, **sizes, hvp="exact", memory="60GB", devices=list(targets))
    program = plan.programs(device_mesh(-(-codes // plan.batch), targets), precision)[0]
    pair = jax.eval_shape(program.prepared, pair)
    started = time.perf_counter()
    lowered = program.lower(pair)
    traced = time.perf_counter() - started
    result = lowered.compile()
    print(f"{name}, {precision}: {plan.batch} codes and {plan.chunk} tangents together, ", end="")
    print(f"traced in {traced:.1f} s, compiled in {time.perf_counter() - started - traced:.1f} s")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("case")
    parser.add_argument("--precision", default="tf32")
    parser.add_argument("--codes", type=int, default=4)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--top", type=int, default=12)
    parser.add_argument("--cuda", required=True, help="folder nvidia/cuda_nvcc of the package nvidia-cuda-nvcc-cu12")
    parser.add_argument("--text", help="file for the compiler's text")
    options = parser.parse_args()
    targets = devices(options.devices, options.cuda)
    result = compiled(options.case, options.precision, options.codes, options.batch, targets)
    text = result.as_text()
    if options.text:
        Path(options.text).write_text(text)
    from benchmarks.hlo import Program

    program, memory = Program.read(text), result.memory_analysis()
    print(f"temporaries {memory.temp_size_in_bytes / 2**30:.2f} GiB, code {len(text) / 1e6:.1f} MB\n")
    print("| kernels | runs | GB | ms at the memory's rate |\n|---|---|---|---|")
    for kind, (runs, size) in program.by_kind().items():
        print(f"| {kind} | {runs} | {size / 1e9:.2f} | {1e3 * size / BANDWIDTH:.1f} |")
    print()
    for kernel in sorted(program.kernels(), key=lambda kernel: -kernel.bytes)[: options.top]:
        print(f"{kernel.bytes / 1e9:8.2f} GB {kernel.times:5d} x {kernel.name:34s} {kernel.source[-110:]}")


if __name__ == "__main__":
    main()
