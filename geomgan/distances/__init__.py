"""How samples are compared: squared distances, most of them with an embedding."""

from geomgan.distances.basic import euclidean, features, from_function, mse
from geomgan.distances.distance import Distance
from geomgan.distances.lpips import lpips

__all__ = ["Distance", "euclidean", "features", "from_function", "lpips", "mse"]
