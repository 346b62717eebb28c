"""geomgan: the Riemannian geometry of the latent space of generative models.

A generator ``G: z -> x`` and a squared distance on its samples pull back to a metric tensor on latent codes::

    import geomgan as gg

    G = gg.load("digits-dcgan")
    D = gg.distances.lpips("alex", resize=64)
    z = G.sample_latent(jax.random.key(0), 16)
    g = gg.metric_tensor(G, D, z[0])  # (d, d), exactly JᵀJ
    e = gg.eigenpairs(g)  # axes: columns of e.vectors, largest change first
    F = gg.metric_field(G, D, z, store="run.zarr")  # many codes, resumable

Every name loads where it is first used: the import itself brings neither JAX nor numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from geomgan import moved

if TYPE_CHECKING:
    from geomgan import (
        analysis,
        directions,
        distances,
        errors,
        fields,
        geodesics,
        optimize,
        paths,
        plot,
        study,
        training,
        zoo,
    )
    from geomgan.eigen import Eigenpairs, eigenpairs, eigh
    from geomgan.errors import CheckpointError, GeomganError, NotHereError, OptionError, OutOfMemory, StoreError
    from geomgan.explore import explore
    from geomgan.fields import MetricField, metric_field
    from geomgan.fields.plan import plan_field as plan
    from geomgan.generators import Gaussian, Generator, Network
    from geomgan.generators.ensemble import ensemble
    from geomgan.metric import MetricOperator, hessian_operator, metric_operator, metric_tensor
    from geomgan.models.save import save
    from geomgan.report import report
    from geomgan.zoo.load import load

    __version__: str

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
    "OptionError",
    "OutOfMemory",
    "StoreError",
    "analysis",
    "directions",
    "distances",
    "eigenpairs",
    "eigh",
    "ensemble",
    "errors",
    "explore",
    "fields",
    "geodesics",
    "hessian_operator",
    "load",
    "metric_field",
    "metric_operator",
    "metric_tensor",
    "optimize",
    "paths",
    "plan",
    "plot",
    "report",
    "save",
    "study",
    "training",
    "zoo",
]
_ROOMS = (
    *("analysis", "backend", "directions", "distances", "eigen", "errors", "explore", "fields", "generators"),
    *("geodesics", "home", "metric", "models", "optimize", "paths", "plot", "report", "restricted_pickle", "runs"),
    *("study", "training", "zoo"),
)
_HOMES = {
    "geomgan.eigen": ("Eigenpairs", "eigenpairs", "eigh"),
    "geomgan.errors": (
        *("CheckpointError", "GeomganError", "NotHereError", "OptionError", "OutOfMemory", "StoreError"),
    ),
    "geomgan.fields": ("MetricField", "metric_field"),
    "geomgan.generators": ("Gaussian", "Generator", "Network", "ensemble"),
    "geomgan.metric": ("MetricOperator", "hessian_operator", "metric_operator", "metric_tensor"),
    "geomgan.models.save": ("save",),
    "geomgan.zoo": ("load",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

moved.redirect()


if not TYPE_CHECKING:  # a name that is not there stays an error for type checkers

    def __getattr__(name: str) -> Any:
        if name in _ROOMS:
            return import_module(f"geomgan.{name}")
        if name in _HOME_OF:
            value = getattr(import_module(_HOME_OF[name]), name)
        elif name == "plan":
            value = import_module("geomgan.fields.plan").plan_field
        elif name == "__version__":
            value = import_module("geomgan.home").version("geomgan")
        else:
            return moved.module(f"geomgan.{name}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
