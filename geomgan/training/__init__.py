"""Training of the small models: data sets, classifiers and generative networks, on one machine.

Names load where they are first used: training needs Flax and optax, and nothing else here does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from geomgan import moved

if TYPE_CHECKING:
    from geomgan.training.bigan import BiganOptions, train_bigan
    from geomgan.training.classifier import accuracy, predict, train_classifier
    from geomgan.training.data import Digits, load_mnist
    from geomgan.training.datasets import Images, load_images
    from geomgan.training.feature_maps import feature_map
    from geomgan.training.gan import GanOptions, sample, train_gan
    from geomgan.training.job import train
    from geomgan.training.judge import digit_features, frechet_distance, judged
    from geomgan.training.progressive import ProgressiveOptions, train_progressive
    from geomgan.training.vae import VaeOptions, train_vae

__all__ = [
    "BiganOptions",
    "Digits",
    "GanOptions",
    "Images",
    "ProgressiveOptions",
    "VaeOptions",
    "accuracy",
    "digit_features",
    "feature_map",
    "frechet_distance",
    "judged",
    "load_images",
    "load_mnist",
    "predict",
    "sample",
    "train",
    "train_bigan",
    "train_classifier",
    "train_gan",
    "train_progressive",
    "train_vae",
]
_HOMES = {
    "bigan": ("BiganOptions", "train_bigan"),
    "classifier": ("accuracy", "predict", "train_classifier"),
    "data": ("Digits", "load_mnist"),
    "datasets": ("Images", "load_images"),
    "feature_maps": ("feature_map",),
    "gan": ("GanOptions", "sample", "train_gan"),
    "job": ("train",),
    "judge": ("digit_features", "frechet_distance", "judged"),
    "progressive": ("ProgressiveOptions", "train_progressive"),
    "vae": ("VaeOptions", "train_vae"),
}
_HOME_OF = {name: f"{__name__}.{home}" for home, names in _HOMES.items() for name in names}

if not TYPE_CHECKING:  # a name that is not there stays an error for type checkers

    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            return import_module(f"{__name__}.{name}")
        if name not in _HOME_OF:
            return moved.module(f"{__name__}.{name}")
        value = import_module("geomgan.entry").explained(
            getattr(import_module(_HOME_OF[name]), name), f"{__name__}.{name}"
        )
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
