"""Metric fields: metric tensors and eigenpairs at many codes, planned, computed on all devices, stored."""

from geomgan import entry
from geomgan.fields.field import MetricField, metric_field

__all__ = ["MetricField", "metric_field"]

entry.guard(__name__)
