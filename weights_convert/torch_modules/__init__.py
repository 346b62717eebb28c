"""Modules of torch, by name and attributes, as nodes of a program of ATen operators.

:data:`LAYERS` has every class of ``torch.nn`` that a generator is made of, under torch's name and with the names and
defaults of its constructor, and a few steps that a ``forward`` takes besides (``View``, ``Concat``). A network is a
list of :class:`Line`, whoever wrote it: a whole module that was read, a guess from tensors, or a user. :func:`traced`
makes the program of it and checks every shape on the way.
"""

from weights_convert.torch_modules.layer import Line as Line
from weights_convert.torch_modules.lines import LAYERS as LAYERS
from weights_convert.torch_modules.lines import Traced as Traced
from weights_convert.torch_modules.lines import settings_of as settings_of
from weights_convert.torch_modules.lines import traced as traced
from weights_convert.torch_modules.lines import with_input as with_input
