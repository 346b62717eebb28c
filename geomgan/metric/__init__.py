"""The mathematics of one code: metric tensors and operators."""

from geomgan.metric.objective import hessian_operator
from geomgan.metric.tensor import MetricOperator, metric_operator, metric_tensor

__all__ = ["MetricOperator", "hessian_operator", "metric_operator", "metric_tensor"]
