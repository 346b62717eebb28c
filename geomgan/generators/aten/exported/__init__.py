"""Graphs that ``torch.export`` writes as JSON, as programs.

``schema`` reads what the JSON says, ``graph`` makes the program, ``functional`` does without changes in place, and
``refusals`` says what no function of one code is made of.
"""

from geomgan.generators.aten.exported.graph import inputs_of as inputs_of
from geomgan.generators.aten.exported.graph import program_of as program_of
