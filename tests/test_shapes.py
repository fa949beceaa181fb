"""Arrays that are passed have their shapes in the annotation."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from .test_rooms import MODULES

# Float[NDArray, "n_bins n_pix"] and the like
ARRAYS = {"NDArray", "ndarray", "Array"}


def without_shape(annotation: ast.expr) -> Iterator[str]:
    """Yield the arrays in an annotation that are not in a subscript of jaxtyping."""
    if isinstance(annotation, ast.Subscript):
        inner = annotation.slice
        if isinstance(inner, ast.Tuple) and isinstance(inner.elts[-1], ast.Constant):
            return
    if isinstance(annotation, ast.Name | ast.Attribute):
        if ast.unparse(annotation).split(".")[-1] in ARRAYS:
            yield ast.unparse(annotation)
        return
    for child in ast.iter_child_nodes(annotation):
        yield from without_shape(child) if isinstance(child, ast.expr) else ()


def passed(path: Path) -> Iterator[tuple[str, ast.expr]]:
    """Yield annotations of parameters, results and fields, with their places."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            for argument in [*node.args.args, *node.args.kwonlyargs]:
                if argument.annotation is not None:
                    yield f"{node.name}({argument.arg})", argument.annotation
            if node.returns is not None:
                yield f"{node.name} ->", node.returns
        elif isinstance(node, ast.ClassDef):
            for field in node.body:
                if isinstance(field, ast.AnnAssign):
                    yield f"{node.name}.{ast.unparse(field.target)}", field.annotation


@pytest.mark.parametrize("module", sorted(MODULES))
def test_arrays_have_shapes(module: str) -> None:
    bare = [
        f"{place}: {array}"
        for place, annotation in passed(MODULES[module])
        for array in without_shape(annotation)
    ]
    assert not bare, "\n".join(bare)


def test_a_bare_array_is_found() -> None:
    for text in ("NDArray", "list[jax.Array]", "NDArray[np.float64] | None"):
        assert list(without_shape(ast.parse(text, mode="eval").body))
    shaped = 'tuple[Float[NDArray, " n"], Int[NDArray[np.intp], "n m"]] | None'
    assert not list(without_shape(ast.parse(shaped, mode="eval").body))
