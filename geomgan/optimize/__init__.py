"""Search with the metric: losses of codes, local methods, inversion, and CMA-ES by ask and tell."""

from geomgan import entry
from geomgan.optimize.ask_tell import AskTell
from geomgan.optimize.basin import RECIPES, BasinResult, Recipe, anchored, basin_cma, noise_and_class
from geomgan.optimize.blocks import fixed, in_blocks
from geomgan.optimize.cholesky_cma import cholesky_cma
from geomgan.optimize.cma import cma
from geomgan.optimize.downhill import Penalty
from geomgan.optimize.eigenbasis import EigenbasisState, in_eigenbasis
from geomgan.optimize.gradient import Gradient, adam, lbfgs, sgd, with_optimizer
from geomgan.optimize.hess_cma import hess_cma, in_coordinates
from geomgan.optimize.inversion import Inversion, invert
from geomgan.optimize.least_squares import LevenbergMarquardt, levenberg_marquardt
from geomgan.optimize.local import Method, State, descend, settle
from geomgan.optimize.loss import Loss, losses
from geomgan.optimize.maximise import Maximum, maximise, unit
from geomgan.optimize.methods import METHODS
from geomgan.optimize.prior import Prior, prior_of
from geomgan.optimize.pure_search import pure_search
from geomgan.optimize.record import Record, Status, new_record, observe
from geomgan.optimize.registration import Similarity
from geomgan.optimize.search import SearchResult, search
from geomgan.optimize.targets import read_images

__all__ = [
    "METHODS",
    "RECIPES",
    "AskTell",
    "BasinResult",
    "EigenbasisState",
    "Gradient",
    "Inversion",
    "LevenbergMarquardt",
    "Loss",
    "Maximum",
    "Method",
    "Penalty",
    "Prior",
    "Recipe",
    "Record",
    "SearchResult",
    "Similarity",
    "State",
    "Status",
    "adam",
    "anchored",
    "basin_cma",
    "cholesky_cma",
    "cma",
    "descend",
    "fixed",
    "hess_cma",
    "in_blocks",
    "in_coordinates",
    "in_eigenbasis",
    "invert",
    "lbfgs",
    "levenberg_marquardt",
    "losses",
    "maximise",
    "new_record",
    "noise_and_class",
    "observe",
    "prior_of",
    "pure_search",
    "read_images",
    "search",
    "settle",
    "sgd",
    "unit",
    "with_optimizer",
]

entry.guard(__name__)
