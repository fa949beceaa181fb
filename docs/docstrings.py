"""Makes the reference of the package from its docstrings, as a part of the site.

Each folder of the package gets a page, on which each of its modules is a section. Pages
are written to docs/api/ before each build, and their list for docs/api.rst.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from enum import Enum
from functools import cache
from importlib import import_module
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any

from docutils import nodes
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sphinx.addnodes import desc_sig_literal_string, pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.inspect import stringify_signature
from sphinx.util.typing import stringify_annotation

DOCS = Path(__file__).parent
PACKAGE = DOCS.parent / "workflow" / "infoscope"
PAGES = DOCS / "api"
# modules outside of folders, then folders from the ground up; others come last
ORDER = [
    *("infoscope", "maps", "cosmology", "survey", "files", "inference", "effects"),
    *("estimators", "skies", "degradations", "results", "theory", "attribution"),
    *("figures", "report", "study", "run"),
]
# rules and the command line: other pages describe what they do
NOT_SHOWN = {"stages", "cli", "__main__"}
# sections of numpydoc that have names; others are text
FIELDS = {"Parameters", "Attributes", "Returns", "Yields", "Raises"}
# default values that take more space are on the page of the config
LONGEST_DEFAULT = 50


def _section(name: str, underline: str, *options: str) -> str:
    lines = [name, underline * len(name), "", f".. automodule:: {name}"]
    return "\n".join(lines + [f"   :{option}:" for option in options]) + "\n"


def modules_of_pages() -> dict[str, list[str]]:
    """Return the modules of each page, those outside of folders for `infoscope`."""
    modules: dict[str, list[str]] = {page: [] for page in ORDER}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] in NOT_SHOWN or parts[-1] == "__init__":
            continue
        page = parts[0] if len(parts) > 1 else "infoscope"
        modules.setdefault(page, []).append(".".join(["infoscope", *parts]))
    return {page: names for page, names in modules.items() if names}


def write_pages(app: Sphinx) -> None:
    """Write the pages and their list, and remove those of a build before."""
    PAGES.mkdir(exist_ok=True)
    for path in PAGES.iterdir():
        path.unlink()
    contents = []
    toctree = ["", ".. toctree::", "   :hidden:", ""]
    for page, modules in modules_of_pages().items():
        package = page if page == "infoscope" else f"infoscope.{page}"
        sections = [_section(package, "=")]
        sections += [_section(module, "-", "members") for module in modules]
        (PAGES / f"{page}.rst").write_text("\n".join(sections))
        about = (import_module(package).__doc__ or "").splitlines()[0]
        contents += [f":doc:`{page} <api/{page}>`", f"   {about}"]
        toctree += [f"   {page} <api/{page}>"]
    (PAGES / "contents.txt").write_text("\n".join(contents + toctree) + "\n")


def signature_as_written(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    signature: str | None,
    returns: str | None,
) -> tuple[str, str | None] | None:
    """Show annotations as they are written, with the shapes of arrays.

    autodoc evaluates those that it can, and the others not.
    """
    if what == "class" and issubclass(obj, BaseModel | Enum):
        return "", None  # fields or values are listed instead
    if not signature or not callable(obj):
        return None
    try:
        written = inspect.signature(obj)
    except ValueError:  # a function in C
        return None
    parameters = list(written.parameters.values())
    if what == "method" and parameters and parameters[0].name == "self":
        del parameters[0]
    if what in {"class", "exception"}:
        written = written.replace(return_annotation=inspect.Signature.empty)
        if "parent" in written.parameters:  # flax passes these two itself
            parameters = [p for p in parameters if p.name not in {"parent", "name"}]
    text = stringify_signature(written.replace(parameters=parameters))
    arguments, _, returned = text.rpartition(" -> ")
    return (arguments, returned) if arguments else (returned, None)


def _list(items: list[list[str]]) -> list[str]:
    """Indent the items of a field, and put marks before them if there are several."""
    mark = "* " if len(items) > 1 else ""
    lines = []
    for first, *others in items:
        lines.append(f"    {mark}{first}")
        lines += [" " * (4 + len(mark)) + line for line in others]
    return lines


def _named(body: list[str], as_link: bool) -> list[str]:
    """Format a section of numpydoc: names, each followed by an indented text."""
    if not body or not body[0].strip() or body[0].startswith(" "):
        return body
    items: list[list[str]] = []
    for line in body:
        if line and not line.startswith(" "):
            name = line.replace("*", "\\*")
            items.append([f"`{name}` –" if as_link else f"**{name}** –"])
        elif items[-1][0].endswith("–"):
            items[-1][0] += f" {line.strip()}"
        else:
            items[-1].append(line.removeprefix("    "))
    return _list(items)


def _sections(lines: list[str]) -> None:
    """Turn sections of numpydoc into fields and headings.

    napoleon would look for types of parameters and results, which are in signatures
    here, and would repeat a text that several parameters share.
    """
    starts = [i for i, line in enumerate(lines[1:]) if re.fullmatch("---+", line)]
    for start, end in reversed(list(pairwise([*starts, len(lines)]))):
        title, body = lines[start], lines[start + 2 : end]
        if title in FIELDS:
            lines[start:end] = [f":{title}:", *_named(body, title == "Raises"), ""]
        else:
            lines[start:end] = [f".. rubric:: {title}", "", *body]


def _field(key: str, annotation: Any, field: FieldInfo) -> str:
    """Describe a field of a model: type, meaning and default."""
    kind = stringify_annotation(annotation, "smart")
    kinds = " | ".join(f"`{part}`" for part in kind.split(" | "))
    meaning = re.sub(r"([\\*|])", r"\\\1", field.description or "")
    if not field.is_required():
        value = field.get_default(call_default_factory=True, validated_data={})
        shown = repr(value.value if isinstance(value, Enum) else value)
        if len(shown) <= LONGEST_DEFAULT:
            meaning += f" Default: ``{shown}``."
    return f"**{key}** ({kinds})" + (f" – {meaning.strip()}" if meaning else "")


def format_docstring(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Format sections, and list the fields of a model or the values of an enum."""
    _sections(lines)
    if what != "class":
        return
    if issubclass(obj, Enum):
        values = ", ".join(f"``{value.value}``" for value in obj)
        lines += ["", f":Values: {values}", ""]
    if issubclass(obj, BaseModel) and obj.model_fields:
        annotations = {
            key: annotation
            for base in reversed(obj.__mro__)
            for key, annotation in inspect.get_annotations(base).items()
        }
        fields = [
            [_field(key, annotations[key], field)]
            for key, field in obj.model_fields.items()
        ]
        lines += ["", ":Fields:", *_list(fields), ""]


@cache
def _imported(module: str) -> dict[str, str]:
    """Return where names come from that a module imports, for the type checker too."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {
        alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _full_name(name: str, module: str) -> str:
    """Return the full name of what a module calls by a name, or that name."""
    try:
        target = attrgetter(name)(sys.modules[module])
        full = f"{target.__module__}.{target.__qualname__}"
    except AttributeError:
        full = _imported(module).get(name, "")
    if full.startswith("infoscope."):
        return full
    # a module of another folder
    full = f"infoscope.{name}"
    return full if "." in name and full in sys.modules else name


def qualify(app: Sphinx, doctree: nodes.document) -> None:
    """Give names in docstrings the meaning that they have in their module."""
    for literal in doctree.findall(desc_sig_literal_string):
        # " n_ell" begins with a blank to be no name of Python
        text = literal.astext()[1:-1].strip()
        literal[:] = [nodes.Text(f'"{text}"')]
    for node in doctree.findall(pending_xref):
        module = node.get("py:module")
        if node["refdomain"] == "py" and module in sys.modules:
            # not any object that has this name somewhere
            node.attributes.pop("refspecific", None)
            node["reftarget"] = _full_name(node["reftarget"], module)


def leave_as_code(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """Show types of other packages, and words in backticks, without a link."""
    loose = node["refdomain"] == "py" and node["reftype"] in {"class", "exc", "obj"}
    return content if loose else None


def setup(app: Sphinx) -> None:
    """Connect the above to the events of a build."""
    sys.path.insert(0, str(PACKAGE.parent))
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-signature", signature_as_written)
    app.connect("autodoc-process-docstring", format_docstring)
    app.connect("doctree-read", qualify)
    app.connect("missing-reference", leave_as_code)
