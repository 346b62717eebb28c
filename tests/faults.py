"""Faults on command."""

import contextlib
import resource
import shutil


@contextlib.contextmanager
def full_disk(room):
    """Let no file of this process grow beyond ``room`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def damage(store, draw, other):
    """Do one random harm to a folder of files, and say which: a bit, an end, a file, a folder, or two places.

    Args:
        store: the folder.
        draw: a ``random.Random``.
        other: a folder of the same files, of which one may be put into ``store``.
    """
    files = sorted(file for file in store.rglob("*") if file.is_file())
    kind = draw.choice(("flip", "truncate", "delete", "folder", "swap", "foreign", "blank"))
    if kind == "folder":
        folder = draw.choice(sorted(folder for folder in store.rglob("*") if folder.is_dir()))
        shutil.rmtree(folder)
        return f"{kind} {folder.relative_to(store)}"
    file = draw.choice(files)
    data = file.read_bytes()
    if kind == "flip":
        at = draw.randrange(len(data))
        file.write_bytes(data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :])
    elif kind == "truncate":
        file.write_bytes(data[: draw.randrange(len(data))])
    elif kind == "delete":
        file.unlink()
    elif kind == "swap":
        second = draw.choice([one for one in files if one != file])
        file.write_bytes(second.read_bytes())
        second.write_bytes(data)
        return f"{kind} {file.relative_to(store)} {second.relative_to(store)}"
    elif kind == "foreign":
        file.write_bytes((other / file.relative_to(store)).read_bytes())
    else:
        file.write_bytes(bytes(len(data)))
    return f"{kind} {file.relative_to(store)}"
