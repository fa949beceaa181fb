"""Operations: what they are, and the registry that has them by name.

An operation is a class: its parameters, its family, its cost, and what it does to a
sky. Those of `degradations.operations` and those of a user's file are written alike.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from infoscope.degradations.sky import Domain, Sky
from infoscope.errors import InfoscopeError
from infoscope.models import file_of
from infoscope.registry import Choice, Registry
from infoscope.survey.survey import Survey
from infoscope.vocabulary import Family


class Operation(Choice):
    """Base of the operations.

    A subclass has a field `operation`, the literal name in the config, fields for its
    parameters, and a method `apply`.

    Attributes
    ----------
    domains
        Where `apply` works: `sphere`, `tile`, `harmonic`, or several of them. A sky in
        another domain is converted to the first.
    family
        Kind of information that it removes.
    nanoseconds_per_pixel
        Time per pixel and bin on one core, spherical transforms aside
        (benchmarks/operations.py).
    """

    registry: ClassVar[Registry[Operation]] = Registry("operation")
    domains: ClassVar[tuple[Domain, ...]]
    family: ClassVar[Family] = Family.OWN
    nanoseconds_per_pixel: ClassVar[float] = 200

    @classmethod
    def __pydantic_init_subclass__(cls, **keywords: Any) -> None:
        """Refuse an operation without domains."""
        super().__pydantic_init_subclass__(**keywords)
        if not cls.__name__.startswith("_") and not getattr(cls, "domains", ()):
            name = cls.model_fields["operation"].default
            raise ValueError(f'say where `{name}` works: domains = ("sphere",)')

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

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Change a sky that is in one of `domains`."""
        raise NotImplementedError


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
        raise InfoscopeError(f"{place}: is not a Python file")
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
    if all(file_of(model) != file for model in Operation.registry.models.values()):
        raise InfoscopeError(
            f"{place}: registers no operation; define a subclass of Operation"
        )
