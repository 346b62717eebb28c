"""geomgan: the Riemannian geometry of the latent space of generative models.

A generator ``G: z -> x`` and a squared distance on its samples pull back to a metric tensor on latent codes::

    import geomgan as gg

    G = gg.load("digits-dcgan")
    D = gg.distances.lpips("alex", resize=64)
    z = G.sample_latent(jax.random.key(0), 16)
    g = gg.metric_tensor(G, D, z[0])  # (d, d), exactly JᵀJ
    e = gg.eigenpairs(g)  # axes: columns of e.vectors, largest change first
    F = gg.metric_field(G, D, z, store="run.zarr")  # many codes, resumable
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from geomgan import distances
from geomgan.eigen import Eigenpairs, eigenpairs
from geomgan.errors import CheckpointError, GeomganError, NotHereError, StoreError
from geomgan.fields import MetricField, metric_field
from geomgan.generators import Gaussian, Generator, Network, ensemble
from geomgan.metric import MetricOperator, hessian_operator, metric_operator, metric_tensor

if TYPE_CHECKING:
    from geomgan import analysis, plot, study, training, zoo
    from geomgan.zoo import load

__version__ = version("geomgan")
__all__ = [
    "CheckpointError",
    "Eigenpairs",
    "Gaussian",
    "Generator",
    "GeomganError",
    "MetricField",
    "MetricOperator",
    "Network",
    "NotHereError",
    "StoreError",
    "analysis",
    "distances",
    "eigenpairs",
    "ensemble",
    "hessian_operator",
    "load",
    "metric_field",
    "metric_operator",
    "metric_tensor",
    "plot",
    "study",
    "training",
    "zoo",
]


def __getattr__(name: str) -> Any:
    """Modules that bring heavy imports (Orbax, matplotlib) load when they are first used."""
    if name in ("analysis", "plot", "study", "training", "zoo"):
        return import_module(f"geomgan.{name}")
    if name == "load":
        return import_module("geomgan.zoo").load
    raise AttributeError(f"module 'geomgan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
