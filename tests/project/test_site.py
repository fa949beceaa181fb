"""The site of the documentation: nothing leads nowhere, nothing needs the network."""

from __future__ import annotations

import html
import re
import runpy
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

from ..test_rooms import FLOOR, MODULES

ROOT = Path(__file__).parents[2]
# what `make site` runs
(COMMAND,) = re.findall(
    r"sphinx-build ((?:.*\\\n)*.*)", (ROOT / "Makefile").read_text()
)
OPTIONS = COMMAND.replace("\\\n", "").split()
RESOURCES = {"script": "src", "img": "src", "iframe": "src", "link": "href"}


class Loaded(HTMLParser):
    """Addresses of what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(RESOURCES.get(tag, ""))
        if address is not None:
            self.addresses.append(address)


def build(folder: Path, page: str) -> subprocess.CompletedProcess[str]:
    """Build a site of one page, one with the heading `There`, and one of `maps`."""
    for name in ("docs/site", "docs/static", "workflow/infoscope/maps"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("conf.py", "docstrings.py", "api.rst"):
        shutil.copy(ROOT / "docs" / name, folder / "docs")
    (folder / "workflow/infoscope/__init__.py").write_text('"""Maps."""\n')
    (folder / "README.md").write_text("# Readme\n\n## There\n")
    (folder / "module.py").touch()
    (folder / "docs/page.md").write_text(f"# Page\n\n{page}\n")
    index = "Index\n=====\n\n.. toctree::\n\n   page\n   api\n   ../README\n"
    (folder / "docs/index.rst").write_text(index)
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *OPTIONS],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_pages_load_nothing_from_elsewhere(tmp_path: Path) -> None:
    text = "[a](../README.md#there) [b](../module.py) [c](https://x.org) $x^2$\n\n$$y$$"
    done = build(tmp_path, text)
    assert (done.returncode, done.stderr) == (0, "")
    site = tmp_path / "build/site"
    for path in site.rglob("*.html"):
        page = Loaded()
        page.feed(path.read_text())
        for address in page.addresses:
            assert not re.match(r"\w+:|//", address), address
            # the version of a file is no part of its name
            assert (path.parent / address.split("?")[0]).exists() or address == "#"
    for path in site.rglob("*.css"):
        assert not re.search(r"(@import|url\(\s*)['\"]?(https?:)?//", path.read_text())
    text = (site / "docs/page.html").read_text()
    assert text.count("<math ") == 2
    # from docstrings: a signature as it is written, an example and a formula
    text = (site / "docs/api/maps.html").read_text()
    shown = html.unescape(re.sub("<[^>]+>", "", text))
    assert 'maps: Float[NDArray, "n_maps n_pix"]' in shown
    assert '→ Float32[NDArray, "n_maps number pixels pixels"]' in shown
    assert ">>> nside_of(49152)" in shown
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">' in text


def test_reference_has_a_page_for_every_folder() -> None:
    docstrings = runpy.run_path(str(ROOT / "docs/docstrings.py"))
    first, *pages = docstrings["modules_of_pages"]()
    assert first == "infoscope"
    folders = {name.partition(".")[0] for name in MODULES if "." in name}
    assert set(pages) == folders - {"stages"}
    floors = [FLOOR[page] for page in pages]
    assert floors == sorted(floors)


def test_what_leads_nowhere_is_a_failure(tmp_path: Path) -> None:
    links = [
        "[a](nowhere.md)",
        "[a](../README.md#nowhere)",
        "[a](#nowhere)",
        "[a](../nowhere.py)",
        "![a](nowhere.png)",
    ]
    done = build(tmp_path, "\n\n".join(links))
    assert done.returncode != 0
    for line in range(3, 3 + 2 * len(links), 2):
        assert re.search(rf"page\.md:{line}: WARNING: .*nowhere", done.stderr)
