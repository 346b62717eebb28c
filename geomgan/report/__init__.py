"""The main job: from a generator and a distance to the geometry of its latent space, as files and a page.

The module is the function, too: ``geomgan.report(G, D, codes, out=..., key=...)``.
"""

import sys
from types import ModuleType

from geomgan import entry
from geomgan.report.job import Report, report
from geomgan.report.section import Section
from geomgan.report.table import TRIPLES
from geomgan.report.triple import Triple

__all__ = ["TRIPLES", "Report", "Section", "Triple", "report"]

entry.guard(__name__)


class _Callable(ModuleType):
    """A room whose name is also that of what it does, whichever of the two was imported first."""

    __call__ = staticmethod(report)


sys.modules[__name__].__class__ = _Callable
