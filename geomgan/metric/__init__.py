"""Metric tensors, matrix-free operators, eigenpairs, and fields over many codes."""

from geomgan.metric.eigenpairs import Eigenpairs, eigenpairs
from geomgan.metric.field import MetricField, metric_field
from geomgan.metric.objective import hessian_operator
from geomgan.metric.tensor import MetricOperator, metric_operator, metric_tensor

__all__ = [
    "Eigenpairs",
    "MetricField",
    "MetricOperator",
    "eigenpairs",
    "hessian_operator",
    "metric_field",
    "metric_operator",
    "metric_tensor",
]
