"""What is analysed: the Generator type and one Flax module per architecture."""

from geomgan.generators.generator import Gaussian, Generator
from geomgan.generators.layers import tap
from geomgan.generators.network import Network

__all__ = ["Gaussian", "Generator", "Network", "tap"]
