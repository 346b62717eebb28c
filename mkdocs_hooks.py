"""What MkDocs does not do by itself: pages from the root's files and from the rooms, links that leave ``docs``, checks.

The build fails on a public name without an entry in the reference, on a link to nothing, and on a docstring of a
function of arrays that says no shape. ``make docs`` runs it; nothing here is imported by the package.
"""

from __future__ import annotations

import ast
import posixpath
import re
from pathlib import Path
from typing import Any

import griffe
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).parent
FORGE = "https://github.com/geomgan/geomgan/blob/main"
TOP = {  # files of the root that are pages
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
ROOMS = (  # of the reference, in the order of a reader
    "geomgan",
    *(f"geomgan.{name}" for name in ("generators", "distances", "metric", "eigen", "fields", "analysis", "paths")),
    *(f"geomgan.{name}" for name in ("geodesics", "optimize", "directions", "training", "zoo", "plot", "report")),
    *(f"geomgan.{name}" for name in ("explore", "study", "errors")),
)
_LINK = re.compile(r"(!?\[[^\]]*\]\()(?!\w+:|#)([^)\s#]+)(#[^)]*)?\)")
_ROLE = re.compile(r":(?:class|func|meth|mod|attr|data|exc):`~?([^`<]+?)`")
_CODE = re.compile(r"```.*?```|``[^`]*``|`[^`\n]*`", re.DOTALL)
_ARRAY = re.compile(r"\b(Array|ndarray|ArrayLike)\b")
_OF_ARRAYS = ("z", "codes", "x", "y", "images", "samples", "vectors", "starts", "ends", "targets", "matrix")
_SHAPE = re.compile(r"\(\)|\(\s*[\w.+*·×/ -]+,[^()]*\)|\bshapes?\b|\bscalars?\b", re.IGNORECASE)


class Roles(griffe.Extension):
    """Docstrings as Markdown: roles of Sphinx are code, ``::`` in front of an example is a colon."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called by griffe for each object that it has read."""
        if obj.docstring:
            text = _ROLE.sub(lambda match: f"`{match[1]}`", obj.docstring.value)
            obj.docstring.value = re.sub(r"(\S)::$", r"\1:", text, flags=re.MULTILINE)


def on_files(files: Any, config: Any) -> Any:
    """Pages that no file of ``docs`` holds."""
    made = {page: (ROOT / name).read_text(encoding="utf-8") for name, page in TOP.items()}
    made |= {page_of(room): reference(room) for room in ROOMS}
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_config(config: Any) -> Any:
    """The reference in the navigation, and behind the guide's pages those that the navigation does not name."""
    parts = {name: entry for entry in config.nav for name in entry}
    parts["Reference"]["Reference"] = [{room: page_of(room)} for room in ROOMS]
    listed = str(config.nav)
    pages = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
    parts["Guide"]["Guide"] += [name for name in pages if f"'{name}'" not in listed]
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links as the forge has them, from the file's place in the repository, become links of the site."""
    name = next((name for name, made in TOP.items() if made == page.file.src_uri), f"docs/{page.file.src_uri}")
    return of_site(markdown, name, page.file.src_uri)


def of_site(markdown: str, name: str, page: str) -> str:
    """The text of the file ``name`` of the repository with links as the page ``page`` of the site needs them."""

    def there(match: re.Match[str]) -> str:
        start, target, anchor = match[1], match[2], match[3] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        if path in TOP:
            to = TOP[path]
        elif path.startswith("docs/"):
            to = path.removeprefix("docs/")
        elif (ROOT / path).exists() and not path.startswith(".."):
            return f"{start}{FORGE}/{path}{anchor})"
        else:
            return match[0]  # MkDocs says that it is dead
        return f"{start}{posixpath.relpath(to, posixpath.dirname(page) or '.')}{anchor})"

    code = list(_CODE.finditer(markdown))
    inside = lambda at: any(block.start() < at < block.end() for block in code)
    return _LINK.sub(lambda match: match[0] if inside(match.start()) else there(match), markdown)


def page_of(room: str) -> str:
    """The page of a room."""
    return f"reference/{room.removeprefix('geomgan.')}.md"


def public_names(room: str) -> list[str]:
    """The names that a room offers: its ``__all__``, or its classes where it has none, as ``geomgan.errors``."""
    path = ROOT / room.replace(".", "/")
    tree = ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]


def entry_of(room: str, name: str) -> str:
    """Where the reference has a room's name: in its module, where a module has the same name and would be shown."""
    return f"{room}.{name}.{name}" if (ROOT / room.replace(".", "/") / f"{name}.py").is_file() else f"{room}.{name}"


def main_names() -> dict[str, str]:
    """The names of the package root that are no rooms, each with its entry: in its room's page where that has it."""
    tree = ast.parse((ROOT / "geomgan/__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    entries = {}
    for node in block.body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module != "geomgan":
            room = ".".join(node.module.split(".")[:2])
            for one in node.names:
                offered = room in ROOMS and one.name in public_names(room)
                entries[one.asname or one.name] = entry_of(room, one.name) if offered else f"{node.module}.{one.name}"
    return entries


def reference(room: str) -> str:
    """The page of a room as Markdown: an entry for each public name, or a link where another page has it."""
    if room != "geomgan":
        head = f"# {room}\n\n::: {room}\n    options: {{members: false, show_root_heading: false}}\n\n"
        return head + "".join(f"::: {entry_of(room, name)}\n\n" for name in public_names(room))
    entries = main_names()
    links = {name: f"[`gg.{name}`][{entry}]" for name, entry in entries.items()}
    links |= {name: f"[`gg.{name}`]({name}.md)" for name in public_names(room) if name not in entries}
    elsewhere = {entry_of(other, name) for other in ROOMS for name in public_names(other)}
    own = [entry for entry in entries.values() if entry not in elsewhere]
    listed = "".join(f"- {links[name]}\n" for name in public_names(room))
    return f"# geomgan\n\n`import geomgan as gg`\n\n{listed}\n" + "".join(f"::: {entry}\n\n" for entry in own)


def without_shapes(room: griffe.Object, name: str) -> bool:
    """Whether a public function takes or gives arrays, and its docstring says of none what shape it has."""
    found: Any = room[name]
    found = found.final_target if found.is_alias else found
    if found.is_class:  # its attributes say their own, where they are arrays
        signature = " ".join(str(one.annotation) for one in found.attributes.values() if not one.name.startswith("_"))
    elif found.is_function:
        given = [one for one in found.parameters if one.name != "key"]
        signature = " ".join(str(annotation) for annotation in (*(one.annotation for one in given), found.returns))
        signature += " Array" if any(one.name in _OF_ARRAYS and str(one.annotation) == "Any" for one in given) else ""
    else:
        return False
    said = found.docstring.value if found.docstring else ""
    return bool(_ARRAY.search(signature)) and not _SHAPE.search(said)


def on_post_build(config: Any) -> None:
    """Every public name has an entry and, where it is a function of arrays, its docstring a shape."""
    package = griffe.load("geomgan", search_paths=[str(ROOT)], resolve_aliases=True)
    read = lambda room: Path(config.site_dir, page_of(room)).with_suffix(".html").read_text(encoding="utf-8")
    lost, bare = [], []
    for room in [room for room in ROOMS if room != "geomgan"]:
        page, module = read(room), package[room.removeprefix("geomgan.")]
        lost += [f"{room}.{name}" for name in public_names(room) if f'id="{entry_of(room, name)}"' not in page]
        inside = {name: entry_of(room, name).removeprefix(f"{room}.") for name in public_names(room)}
        bare += [f"{room}.{name}" for name, path in inside.items() if without_shapes(module, path)]
    page, entries = read("geomgan"), main_names()
    ends = {name: f'{entries[name]}"' if name in entries else f'"{name}.html"' for name in public_names("geomgan")}
    lost += [f"geomgan.{name}" for name, end in ends.items() if end not in page]
    if lost or bare:
        said = f"without an entry in the reference: {', '.join(lost)}. " if lost else ""
        said += f"functions of arrays whose docstrings say no shape: {', '.join(bare)}." if bare else ""
        raise PluginError(said)
