"""How samples are compared: squared distances, most of them with an embedding."""

from geomgan import entry
from geomgan.distances.audio import spectrogram
from geomgan.distances.basic import euclidean, features, from_function, mse
from geomgan.distances.checks import DistanceReport, check
from geomgan.distances.classifiers import activation, classifier_features
from geomgan.distances.distance import Distance
from geomgan.distances.lpips import lpips
from geomgan.distances.lpips_maps import lpips_layers, lpips_map
from geomgan.distances.probabilistic import fisher, gaussian
from geomgan.distances.ssim import ms_ssim, ssim

__all__ = [
    "Distance",
    "DistanceReport",
    "activation",
    "check",
    "classifier_features",
    "euclidean",
    "features",
    "fisher",
    "from_function",
    "gaussian",
    "lpips",
    "lpips_layers",
    "lpips_map",
    "ms_ssim",
    "mse",
    "spectrogram",
    "ssim",
]

entry.guard(__name__)
