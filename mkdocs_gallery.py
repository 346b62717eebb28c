"""The pictures of the gallery, made by the lines on their pages wherever the build has a page's model.

A page ``docs/gallery/NAME.md`` has one block of Python, which writes ``NAME.webp`` where it runs and prints what it
measured. The picture lies beside the page, and a block of text under the code has what was printed, as they were when
the page was written. Of models that ship with the package the build runs the lines, and takes what comes of them now;
of others it takes what is there.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).parent
PAGES = sorted((ROOT / "docs" / "gallery").glob("*.md"))
SHIPPED = ROOT / "geomgan" / "models" / "embedded"
_CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PRINTED = re.compile(r"(^```text\n).*?(^```$)", re.MULTILINE | re.DOTALL)
_LOADED = re.compile(r'\bload(?:_warps)?\("([^"]+)"')
_serving = False
_printed: dict[str, str] = {}  # page -> what its lines print


def lines_of(page: Path) -> str:
    """The lines of a page; ``ValueError`` unless they are one block."""
    (lines,) = _CODE.findall(page.read_text(encoding="utf-8"))
    return str(lines)


def is_here(lines: str) -> bool:
    """Whether all that the lines load ships with the package."""
    return all((SHIPPED / name).is_dir() for name in _LOADED.findall(lines))


def made(page: Path, folder: Path) -> tuple[bytes, str]:
    """The picture that the lines of a page make in a folder, and what they print."""
    run = [sys.executable, "-c", lines_of(page)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(run, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    picture = folder / f"{page.stem}.webp"
    if done.returncode or not picture.is_file():
        said = done.stderr.strip()[-2000:] or f"wrote no {picture.name}"
        raise PluginError(f"the lines of docs/gallery/{page.name}: {said}")
    return picture.read_bytes(), done.stdout


def with_printed(text: str, printed: str) -> str:
    """The text of a page with what its lines print now, in place of what they once did."""
    return _PRINTED.sub(lambda match: f"{match[1]}{printed}{match[2]}", text)


def on_startup(command: str, dirty: bool) -> None:
    """``mkdocs serve`` builds at each change of a file, and shows the pictures that are there."""
    global _serving
    _serving = command == "serve"


def on_files(files: Any, config: Any) -> Any:
    """Pictures that are made now take the places of those beside their pages."""
    run = [] if _serving else [page for page in PAGES if is_here(lines_of(page))]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        for page, (picture, printed) in zip(run, pool.map(made, run, [Path(folder)] * len(run)), strict=True):
            place = f"gallery/{page.stem}.webp"
            if (beside := files.get_file_from_path(place)) is not None:
                files.remove(beside)
            files.append(File.generated(config, place, content=picture))
            _printed[f"gallery/{page.name}"] = printed
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Under the code is what it printed in this build; there are no sections to list beside it."""
    if not page.file.src_uri.startswith("gallery"):
        return markdown
    page.meta["hide"] = ["toc"]
    printed = _printed.get(page.file.src_uri)
    return markdown if printed is None else with_printed(markdown, printed)


def main() -> None:
    """Runs the lines of the pages that are named, where it is called, and keeps what comes of them beside the pages."""
    for page in (ROOT / "docs" / "gallery" / f"{name}.md" for name in sys.argv[1:]):
        picture, printed = made(page, Path.cwd())
        page.with_suffix(".webp").write_bytes(picture)
        page.write_text(with_printed(page.read_text(encoding="utf-8"), printed), encoding="utf-8")


if __name__ == "__main__":
    main()
