"""Search with the metric: losses of codes, local methods, and inversion."""

from geomgan import entry
from geomgan.optimize.eigenbasis import EigenbasisState, in_eigenbasis
from geomgan.optimize.gradient import Gradient, adam, lbfgs, sgd, with_optimizer
from geomgan.optimize.local import Method, State, descend, settle
from geomgan.optimize.loss import Loss, losses
from geomgan.optimize.prior import Prior, prior_of

__all__ = [
    "EigenbasisState",
    "Gradient",
    "Loss",
    "Method",
    "Prior",
    "State",
    "adam",
    "descend",
    "in_eigenbasis",
    "lbfgs",
    "losses",
    "prior_of",
    "settle",
    "sgd",
    "with_optimizer",
]

entry.guard(__name__)
