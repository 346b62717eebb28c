"""Attributes of pictures: functions ``images (n, H, W, 3) -> values``, built in, by ONNX networks, or one's own."""

from geomgan.directions.attributes.attribute import Attribute, AttributeValues, measure_attributes
from geomgan.directions.attributes.named import GROUPS, NAMES, named_attributes
from geomgan.directions.attributes.networks import SLOTS, network_folder

__all__ = [
    "GROUPS",
    "NAMES",
    "SLOTS",
    "Attribute",
    "AttributeValues",
    "measure_attributes",
    "named_attributes",
    "network_folder",
]
