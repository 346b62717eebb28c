"""Search with the metric: losses of codes, local methods, and inversion."""

from geomgan import entry
from geomgan.optimize.eigenbasis import EigenbasisState, in_eigenbasis
from geomgan.optimize.gradient import Gradient, adam, lbfgs, sgd, with_optimizer
from geomgan.optimize.inversion import Inversion, invert
from geomgan.optimize.least_squares import LevenbergMarquardt, levenberg_marquardt
from geomgan.optimize.local import Method, State, descend, settle
from geomgan.optimize.loss import Loss, losses
from geomgan.optimize.methods import METHODS
from geomgan.optimize.prior import Prior, prior_of
from geomgan.optimize.registration import Similarity
from geomgan.optimize.targets import read_images

__all__ = [
    "METHODS",
    "EigenbasisState",
    "Gradient",
    "Inversion",
    "LevenbergMarquardt",
    "Loss",
    "Method",
    "Prior",
    "Similarity",
    "State",
    "adam",
    "descend",
    "in_eigenbasis",
    "invert",
    "lbfgs",
    "levenberg_marquardt",
    "losses",
    "prior_of",
    "read_images",
    "settle",
    "sgd",
    "with_optimizer",
]

entry.guard(__name__)
