"""Hostile files: attacks, damage to good files, and their reading by another process that reports what happens."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.fixtures import ROOT

NAMED = {
    "os": "system popen",
    "posix": "system execv",
    "nt": "system",
    "builtins": "eval exec compile getattr setattr open __import__",
    "__builtin__": "eval execfile",
    "subprocess": "Popen check_output",
    "torch": "load save hub.load jit.load",
    "torch.serialization": "load",
    "numpy": "load fromfile memmap",
    "numpy.testing._private.utils": "runstring",
    "importlib": "import_module",
    "operator": "attrgetter methodcaller",
    "functools": "partial reduce",
    "types": "CodeType FunctionType",
    "pickle": "loads load",
    "io": "open",
    "codecs": "open",
    "_codecs": "decode",
    "copyreg": "add_extension pickle",
    "shutil": "rmtree",
    "runpy": "run_path",
    "timeit": "timeit",
    "ctypes": "CDLL",
    "socket": "socket",
    "webbrowser": "open",
    "geomgan.restricted_pickle": "load_file read_bytes",
}


def attacks() -> dict[str, bytes]:
    """Pickles that would do harm under pickle.load, one for each name and way to call it."""
    made = {"ext": b"\x82\x01)R.", "ext4": b"\x84\x01\x00\x00\x00)R."}
    argument = b"X\x0c\x00\x00\x00touch harmed"
    for full in (f"{module}.{name}" for module, names in NAMED.items() for name in names.split()):
        module, _, name = full.encode().rpartition(b".")
        word = b"c" + module + b"\n" + name + b"\n"
        stack = b"\x8c" + bytes([len(module)]) + module + b"\x8c" + bytes([len(name)]) + name + b"\x93"
        made |= {
            f"{full} reduce": word + argument + b"\x85R.",
            f"{full} stack": stack + argument + b"\x85R.",
            f"{full} newobj": word + argument + b"\x85\x81.",
            f"{full} newobj_ex": word + argument + b"\x85}\x92.",
            f"{full} inst": b"(" + argument + b"i" + module + b"\n" + name + b"\n.",
            f"{full} obj": b"(" + word + argument + b"o.",
            f"{full} state": b"ccollections\nOrderedDict\n)R}U\x0c__setstate__" + word + b"sb}b.",
            f"{full} class": b"ccollections\nOrderedDict\n)R}(U\x09__class__" + word + b"U\x08__dict__}ub.",
            f"{full} slots": b"ccollections\nOrderedDict\n)R}}U\x0a__reduce__" + word + b"s\x86b.",
            f"{full} factory": b"ccollections\ndefaultdict\n(" + word + b"tR" + argument + b"Ns.",
            f"{full} dtype": b"cnumpy\ndtype\n(" + word + b"tR.",
            f"{full} array": b"cnumpy.core.multiarray\n_reconstruct\n(" + word + b")U\x01btR.",
            f"{full} reconstructor": b"ccopyreg\n_reconstructor\n(" + word + word + argument + b"tR.",
        }
    return made


def damaged(good: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Copies of a file with 1 to 4 faults: bits flipped, bytes overwritten, lost, added or repeated, the end lost."""
    draw = random.Random(seed)
    for _ in range(count):
        data = bytearray(good)
        for _ in range(draw.choice((1, 1, 2, 4))):
            at, to, length = draw.randrange(len(data)), draw.randrange(len(data)), draw.randint(1, 16)
            fault = draw.choice(("flip", "overwrite", "lose", "add", "repeat", "end"))
            if fault == "flip":
                data[at] ^= 1 << draw.randrange(8)
            elif fault == "overwrite":
                data[at : at + length] = draw.choice((draw.randbytes(length), bytes(length), b"\xff" * length))
            elif fault == "lose":
                del data[at : at + length]
            elif fault == "add":
                data[at:at] = draw.randbytes(length)
            elif fault == "repeat":
                data[to:to] = data[at : at + draw.choice((length, 1000))]
            else:
                del data[at + 1 :]
            data = data or bytearray(1)
        yield bytes(data)


class Outcome(NamedTuple):
    """What reading a file came to.

    Attributes:
        text: ``"read"``, or the error.
        seconds: of processor time.
        grown: by how many bytes the most memory that the process had used has grown.
    """

    text: str
    seconds: float
    grown: int


CHILD = """
import encodings.cp437, json, pathlib, resource, socket, sys, time
from geomgan.errors import CheckpointError

folder, good, out, memory = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
SETUP
quiet = {"builtins.id", "os.fspath"}
in_out = {"open", "os.mkdir", "os.remove", "os.rename", "os.chmod", "shutil.rmtree", "tempfile.mkdtemp"}
in_out |= {"os.listdir", "os.scandir", "glob.glob", "glob.glob/2"}
if out:  # JAX and Orbax look at functions and frames, and run an event loop
    quiet |= {"object.__getattr__", "sys._getframe", "sys.set_asyncgen_hook_finalizer"}
    quiet |= {"sys.set_asyncgen_hook_firstiter"}
reading, events, outcomes = "", [], []

def expected(event, args):
    if event == "open" and str(args[0]) == reading:
        return args[1] in ("r", "rb")
    if not out:
        return False
    if event == "socket.__new__":
        return args[1] == socket.AF_UNIX  # the event loop's, to itself
    paths = [str(path) for path in (args[:2] if event == "os.rename" else args[:1])]
    return event in in_out and all((path + "/").startswith(out + "/") and ".." not in path for path in paths)

def watch(event, args):
    if reading and event not in quiet and not expected(event, args):
        events.append(f"{pathlib.PurePath(reading).name}: {event} {args!r}"[:300])

paths = [str(path) for path in sorted(folder.iterdir())]
for _ in range(2):
    attempt(good)  # whatever loads late, loads now
here = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (here + memory,) * 2)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
sys.addaudithook(watch)
for path in paths:
    start, before = time.process_time(), peak()
    try:
        reading = path
        attempt(path)
        outcome = "read"
    except CheckpointError as error:
        outcome = str(error)
    except BaseException as error:
        outcome = f"escaped: {type(error).__name__}: {error}"
    reading = ""
    outcomes.append([outcome[:2000], time.process_time() - start, peak() - before])
print(json.dumps([events, outcomes]))
"""


def watched(
    folder: Path, setup: str, files: Mapping[str, bytes], good: bytes, memory: int = 1 << 28, converting: bool = False
) -> dict[str, Outcome]:
    """What reading each file comes to, in another process that may do nothing but read them.

    Everything that Python's audit hooks report of it must be harmless: the file is opened for reading and, if
    ``converting``, files below the folder ``out`` are written. Only `CheckpointError` may be raised.

    Args:
        folder: for the files; ``folder / "out"`` is that of the conversions.
        setup: program text that defines ``attempt(path)``; it knows ``out``.
        files: name -> contents.
        good: a file that can be read, to load whatever loads late.
        memory: bytes that the process may take beyond what it has after reading ``good``.
        converting: whether ``attempt`` also converts.
    """
    for name in ("files", "out"):
        (folder / name).mkdir()
    for index, data in enumerate(files.values()):
        (folder / "files" / f"{index:05}").write_bytes(data)
    (folder / "good").write_bytes(good)
    out = str(folder / "out") if converting else ""
    run = [sys.executable, "-c", CHILD.replace("SETUP", setup), str(folder / "files"), str(folder / "good"), out]
    done = subprocess.run([*run, str(memory)], cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    events, outcomes = json.loads(done.stdout.splitlines()[-1])
    assert not events, events[:10]
    assert not (ROOT / "harmed").exists()
    named = {name: Outcome(*outcome) for name, outcome in zip(files, outcomes, strict=True)}
    for name, outcome in named.items():
        assert not outcome.text.startswith("escaped"), (name, outcome.text)
    return named
