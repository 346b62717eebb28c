"""Directions without labels: one interface, and the methods that find them.

A :class:`Direction` makes a path of any code, and a :class:`DirectionSet` holds those that a method found together: a
file that knows its model, space, layers and method.
"""

from geomgan import entry
from geomgan.directions.activation_edits import activation_edits
from geomgan.directions.attributes import (
    GROUPS,
    Attribute,
    AttributeValues,
    measure_attributes,
    named_attributes,
)
from geomgan.directions.collection import DirectionSet, direction_set, load, save
from geomgan.directions.components import Components
from geomgan.directions.deformators import Deformator, initial_deformator
from geomgan.directions.dictionaries import Dictionary, dictionary, train_dictionary
from geomgan.directions.direction import Direction, Moves
from geomgan.directions.discover import discover, random_directions
from geomgan.directions.disentanglement import Disentanglement, Factors, disentanglement, known_factors
from geomgan.directions.factorisation import factorised, sefa
from geomgan.directions.fit import model_hash
from geomgan.directions.ganspace import activation_components, ganspace, regressed
from geomgan.directions.ganspace_files import read_ganspace, read_ganspace_components
from geomgan.directions.hessians import (
    DiagonalStrength,
    activeness,
    diagonal_strength,
    penalty_map,
    penalty_of_hessians,
    pixel_hessians,
)
from geomgan.directions.joint_training import JointOptions, JointTraining, train_jointly
from geomgan.directions.latent_deformators import TrainedDeformator, directions_of, recognition, train_deformator
from geomgan.directions.metric_axes import metric_axes, tensor_axes
from geomgan.directions.nonlinearity import Nonlinearity, nonlinearity
from geomgan.directions.patterns import carried_back
from geomgan.directions.penalty_axes import penalty_axes
from geomgan.directions.penalty_discovery import PenaltyOptions, discover_by_penalty
from geomgan.directions.predictors import Predictor, initial_predictor
from geomgan.directions.previews import previewed
from geomgan.directions.ranking import Ranking, rank_paths
from geomgan.directions.recognised import path_accuracy
from geomgan.directions.rows import orthonormalised, published_directions
from geomgan.directions.schedules import schedule
from geomgan.directions.scoreboard import Scoreboard, Scores, overlap, scoreboard, unit_columns, unit_steps
from geomgan.directions.span import axis_shares, subspace_angles
from geomgan.directions.subspace import restricted
from geomgan.directions.traverse import Traversal, traverse
from geomgan.directions.warp_walks import traverse_warps, warp_walks
from geomgan.directions.warped_training import TrainedWarps, chords_of, train_warps
from geomgan.directions.warps import Warp, Warps, initial_warps
from geomgan.metric.hessian_penalty import hessian_penalty, hessian_ratio

__all__ = [
    "GROUPS",
    "Attribute",
    "AttributeValues",
    "Components",
    "Deformator",
    "DiagonalStrength",
    "Dictionary",
    "Direction",
    "DirectionSet",
    "Disentanglement",
    "Factors",
    "JointOptions",
    "JointTraining",
    "Moves",
    "Nonlinearity",
    "PenaltyOptions",
    "Predictor",
    "Ranking",
    "Scoreboard",
    "Scores",
    "TrainedDeformator",
    "TrainedWarps",
    "Traversal",
    "Warp",
    "Warps",
    "activation_components",
    "activation_edits",
    "activeness",
    "axis_shares",
    "carried_back",
    "chords_of",
    "diagonal_strength",
    "dictionary",
    "direction_set",
    "directions_of",
    "discover",
    "discover_by_penalty",
    "disentanglement",
    "factorised",
    "ganspace",
    "hessian_penalty",
    "hessian_ratio",
    "initial_deformator",
    "initial_predictor",
    "initial_warps",
    "known_factors",
    "load",
    "measure_attributes",
    "metric_axes",
    "model_hash",
    "named_attributes",
    "nonlinearity",
    "orthonormalised",
    "overlap",
    "path_accuracy",
    "penalty_axes",
    "penalty_map",
    "penalty_of_hessians",
    "pixel_hessians",
    "previewed",
    "published_directions",
    "random_directions",
    "rank_paths",
    "read_ganspace",
    "read_ganspace_components",
    "recognition",
    "regressed",
    "restricted",
    "save",
    "schedule",
    "scoreboard",
    "sefa",
    "subspace_angles",
    "tensor_axes",
    "train_deformator",
    "train_dictionary",
    "train_jointly",
    "train_warps",
    "traverse",
    "traverse_warps",
    "unit_columns",
    "unit_steps",
    "warp_walks",
]

entry.guard(__name__)
