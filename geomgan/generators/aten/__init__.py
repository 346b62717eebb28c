"""Networks of PyTorch as programs of ATen operators, in JAX: what any network that is no family of ours becomes.

A :class:`Program` is data: nodes with the name of an operator and its arguments, as ``torch.export`` lists them.
``operators`` has every operator, with torch's name, arguments and layout. :class:`Aten` runs a program as a Flax
module, so that weights, activations by name, layers and prepared kernels are what they are for every other network.
"""

from geomgan.generators.aten.module import Aten as Aten
from geomgan.generators.aten.program import Node as Node
from geomgan.generators.aten.program import Program as Program
from geomgan.generators.aten.program import Value as Value
from geomgan.generators.aten.program import Weight as Weight
