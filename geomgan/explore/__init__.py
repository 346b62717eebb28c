"""Sliders in perceptual units along axes and directions, in a notebook or a browser.

The module is the function, too: ``geomgan.explore(G, D, z)``.
"""

import sys
from types import ModuleType

from geomgan import entry
from geomgan.explore.explorer import Explorer, explore

__all__ = ["Explorer", "explore"]

entry.guard(__name__)


class _Callable(ModuleType):
    """A room whose name is also that of what it does, whichever of the two was imported first."""

    __call__ = staticmethod(explore)


sys.modules[__name__].__class__ = _Callable
