"""What the library says to callers, in the words of a command: an argument that is an option is called by its name."""

from __future__ import annotations

import argparse
import re
import shlex

_ARGUMENT = re.compile(
    r"(?<![\w.'\"/?&-])(?<!--option )([a-z][a-z_]*)=(?!=)('[^']*'|\"[^\"]*\"|\([^)]*\)|-?[\w.+]*[\w+])?"
)
_OTHER_NAMES = {"layers": "layers_range"}  # of arguments that are options under another one


def of_command(text: str, parsed: argparse.Namespace, *, family: bool = False) -> str:
    """A message with ``name=value`` as ``--name value``, for the options of the command that was given.

    What only Python takes stays, and is said to be that; with ``family`` it is what a family of models or checkpoints
    takes, ``--option name=value``, where the command has that.
    """
    options = {name.replace("-", "_") for name in re.findall(r"--([a-z-]+)", parsed.usage)}
    python: dict[str, None] = {}

    def said(match: re.Match[str]) -> str:
        name, value = match[1], (match[2] or "").strip("'\"()").replace(", ", " ")
        value = shlex.quote(value) if match[2] and match[2][0] in "'\"" else value
        for option in (name, _OTHER_NAMES.get(name)):
            if option in options and option is not None:
                return f"--{option.replace('_', '-')} {value}".rstrip()
        if family and "option" in options and name not in parsed:  # what stands alone is no option
            return f"--option {name}={value}"
        if name not in parsed:  # what stands alone in a command is called by its name
            python[f"{name}="] = None
        return match[0]

    told = _ARGUMENT.sub(said, text)
    for name in options:
        if "_" in name:
            told = re.sub(rf"(?<![\w-]){name}(?![\w=])", f"--{name.replace('_', '-')}", told)
    what = "is an argument" if len(python) == 1 else "are arguments"
    return f"{told} ({', '.join(python)} {what} of Python's call.)" if python else told
