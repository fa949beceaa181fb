"""Operations: what they are, and the registry that knows them by name.

An operation is a model of its parameters and a function of (sky, parameters,
generator), tied together by the decorator `operation`. The modules of this package
and a file of a user's own are written alike.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from infoscope.degradations.sky import Domain, Sky
from infoscope.errors import InfoscopeError
from infoscope.models import Model
from infoscope.survey.survey import Survey

__all__ = ["Domain", "Operation", "Sky", "Survey", "operation"]


class Operation(Model):
    """Base of the parameters of an operation.

    A subclass has a field `operation`, the literal name in the config, and fields
    for its parameters.
    """

    def check(self, survey: Survey) -> Survey:
        """Refuse what is impossible for a survey, and return what is left of it.

        Called before any job runs. Operations that change the number of bins return
        a survey with the new ones.

        Raises
        ------
        ValueError
            One line that says what is wrong and what is possible.
        """
        return survey


Apply = Callable[[Sky, Any, np.random.Generator], Sky]


@dataclass(frozen=True)
class Registered:
    """An operation that can be named in a config."""

    name: str
    model: type[Operation]
    domains: tuple[Domain, ...]
    apply: Apply
    file: Path


REGISTRY: dict[str, Registered] = {}


def name_of(parameters: Operation) -> str:
    """Name of an operation in the config."""
    return str(parameters.model_dump(include={"operation"})["operation"])


def operation(model: type[Operation], *domains: Domain) -> Callable[[Apply], Apply]:
    """Register a function as the operation whose parameters a model describes.

    Parameters
    ----------
    model
        Describes and validates the parameters.
    domains
        Where the function works: `sphere`, `tile`, `harmonic`, or several of them.
        A sky that is elsewhere is converted to the first.
    """

    def register(apply: Apply) -> Apply:
        field = model.model_fields.get("operation")
        if field is None or not isinstance(field.default, str):
            raise ValueError(
                f"{model.__name__} has no name; give it a field such as "
                '`operation: Literal["clip"] = "clip"`'
            )
        name = field.default
        file = Path(sys.modules[apply.__module__].__file__ or "")
        if not domains:
            raise ValueError(f"say where `{name}` works: @operation(…, 'sphere')")
        if name in REGISTRY and REGISTRY[name].file != file:
            raise ValueError(f"there is an operation `{name}` already; rename it")
        REGISTRY[name] = Registered(name, model, domains, apply, file)
        return apply

    return register


def load(path: Path) -> None:
    """Import a file that defines operations.

    Raises
    ------
    InfoscopeError
        If it is missing, fails, or registers nothing.
    """
    place = f"operation_files: {path}"
    if not path.is_file():
        raise InfoscopeError(f"{place}: no such file")
    # pydantic resolves annotations in the module that sys.modules knows by name
    file = path.resolve()
    name = "infoscope_user_" + sha256(str(file).encode()).hexdigest()[:12]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise InfoscopeError(f"{place}: is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        frames = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == str(file)
        ]
        line = f", line {frames[-1]}" if frames else ""
        message = " ".join(str(error).split())
        raise InfoscopeError(
            f"{place}{line}: {type(error).__name__}: {message}"
        ) from None
    if all(known.file != file for known in REGISTRY.values()):
        raise InfoscopeError(
            f"{place}: registers no operation; decorate a function with @operation"
        )
