"""Paths through latent space and walking them: samples and distances along them, even spacing.

Everything here takes paths; :mod:`geomgan.paths.axes` has the same calls for a code and directions.
"""

from geomgan import entry
from geomgan.eigen.ranks import axes_of_rank
from geomgan.paths.axes import AxisWalks, initial_speeds
from geomgan.paths.between import KeepsMarginal, Slerp, between, combination, sphere_exp, sphere_log
from geomgan.paths.curves import Bezier, BSpline, Polyline, bezier, bspline, insertion, polyline, straight_spline
from geomgan.paths.measure import Measured, measure, neighbour_distances
from geomgan.paths.path import GreatCircle, Line, Path, great_circles, leaving, lines
from geomgan.paths.spacing import (
    constant_speed_steps,
    constant_speed_walk,
    equal_distance_steps,
    equal_distance_walk,
)
from geomgan.paths.walks import Walks, walk

__all__ = [
    "AxisWalks",
    "BSpline",
    "Bezier",
    "GreatCircle",
    "KeepsMarginal",
    "Line",
    "Measured",
    "Path",
    "Polyline",
    "Slerp",
    "Walks",
    "axes_of_rank",
    "between",
    "bezier",
    "bspline",
    "combination",
    "constant_speed_steps",
    "constant_speed_walk",
    "equal_distance_steps",
    "equal_distance_walk",
    "great_circles",
    "initial_speeds",
    "insertion",
    "leaving",
    "lines",
    "measure",
    "neighbour_distances",
    "polyline",
    "sphere_exp",
    "sphere_log",
    "straight_spline",
    "walk",
]

entry.guard(__name__)
