"""The families in the help of a conversion: what they take, and their options, without importing them.

The declarations import JAX; ``families.json`` is what they say. ``python -m weights_convert.listing`` writes it again.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "families.json"
_WIDTH = 100
AUTO = {  # what is no family, but takes its place
    "takes": "any file of weights: says which of these it is, and converts it as that",
    "options": {"...": "those of the families: only the ones that have all of them are tried"},
    "opens": [],
}


def declared() -> dict[str, dict[str, Any]]:
    """Family -> ``{"takes", "options", "opens"}``, as the families are declared now."""
    from geomgan.models.families import CHECKPOINTS, FAMILIES
    from weights_convert.options import taken

    return {"auto": AUTO} | {
        name: {
            "takes": checkpoint.what,
            "options": taken(checkpoint),
            "opens": list(dict.fromkeys(x for part in FAMILIES[name].networks.values() for x in part.options)),
        }
        for name, checkpoint in CHECKPOINTS.items()
    }


def text(families: dict[str, dict[str, Any]]) -> str:
    """What ``families.json`` holds."""
    return json.dumps(families, indent=1, ensure_ascii=False) + "\n"


def read() -> dict[str, dict[str, Any]]:
    """What ``families.json`` says."""
    families: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return families


def table() -> str:
    """A line for each family, for the help of all."""
    rows = "\n".join(f"  {name:<29} {family['takes']}" for name, family in read().items())
    return f"families and the checkpoints they take (FAMILY --help explains the options of one):\n{rows}"


def explanation(family: str) -> str:
    """What a family takes, the options of its conversion, and those of opening what comes out."""
    known = read()[family]
    lines = [f"{family}: {known['takes']}", "", "options of the conversion (--option KEY=VALUE):"]
    lines += _aligned(known["options"]) or ["  none: the file says everything"]
    if known["opens"]:
        lines += ["", f"options of what it becomes, for geomgan.load and the commands: {', '.join(known['opens'])}"]
    return "\n".join(lines)


def _aligned(options: dict[str, str]) -> list[str]:
    width = max((len(name) for name in options), default=0) + 4
    return [line for name, what in options.items() for line in _entry(name, what, width)]


def _entry(name: str, what: str, width: int) -> Iterator[str]:
    first, *others = textwrap.wrap(what, _WIDTH - width) or [""]
    yield f"  {name:<{width - 2}}{first}"
    yield from (f"{'':<{width}}{line}" for line in others)


class Help(argparse.Action):
    """``--help``; behind a family the explanation of that one."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: Any) -> None:
        """Print, and end the program."""
        family = getattr(namespace, "family", None)
        if family in read():
            print(f"{parser.format_usage()}\n{explanation(family)}")
            parser.exit()
        if family:
            parser.error(f"there is no family {family!r}; --help alone lists them")
        print(f"{parser.format_help()}\n{table()}")
        parser.exit()


if __name__ == "__main__":
    FILE.write_text(text(declared()), encoding="utf-8")
