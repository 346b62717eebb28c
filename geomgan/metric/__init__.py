"""The mathematics of one code: metric tensors and operators."""

from typing import TYPE_CHECKING

from geomgan import entry, moved
from geomgan.metric.objective import hessian_operator
from geomgan.metric.operator import MetricOperator, metric_operator
from geomgan.metric.tensor import metric_tensor

__all__ = ["MetricOperator", "hessian_operator", "metric_operator", "metric_tensor"]

entry.guard(__name__)

if not TYPE_CHECKING:  # type checkers know the names of today only
    __getattr__ = moved.names(__name__)
