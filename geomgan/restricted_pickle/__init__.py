"""Read Python pickles from untrusted files: data comes out, nothing in the file is executed or imported.

A small pickle machine for protocols 0 to 5. A name in the file (``GLOBAL``) never becomes the Python object
of that name: it becomes an inert `StandIn`, and a call of one (``REDUCE``) looks its name up in a table of our
own functions, which only build data. ``pickle.Unpickler`` is not used: one opcode makes its C memo take
gigabytes. Every length is checked before it is read and every step is counted, so time and memory are bounded
by the size of the file. What is returned is a tree: no cycles, at most ``MAX_DEPTH`` deep, safe to walk,
compare and print.

``reader`` runs the ``machine`` over the ``opcodes``; ``builders`` are the functions behind admitted names;
``values`` says what a pickle may hold, ``files`` what else a file may be.
"""

from geomgan import entry
from geomgan.restricted_pickle.builders import NAMES
from geomgan.restricted_pickle.files import looks_like, looks_like_file, read_bytes
from geomgan.restricted_pickle.reader import load, load_file
from geomgan.restricted_pickle.values import Names, Pending, StandIn, bare_name, check_shape, misfit

__all__ = [
    "NAMES",
    "Names",
    "Pending",
    "StandIn",
    "bare_name",
    "check_shape",
    "load",
    "load_file",
    "looks_like",
    "looks_like_file",
    "misfit",
    "read_bytes",
]

entry.guard(__name__)
