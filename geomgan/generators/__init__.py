"""What is analysed: the Generator type and one Flax module per architecture."""

from geomgan import entry, home
from geomgan.generators.ensemble import ensemble
from geomgan.generators.generator import Generator
from geomgan.generators.layers import tap
from geomgan.generators.network import Network
from geomgan.generators.outputs import Gaussian

__all__ = ["Gaussian", "Generator", "Network", "ensemble", "tap"]

entry.guard(__name__)

home.keep_compiled_programs()
