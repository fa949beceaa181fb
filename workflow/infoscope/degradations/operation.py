"""Operations: their base class and the registry of their names.

An operation is a class that defines its parameters, its family, its cost and its effect
on a sky. Built-in operations (`degradations.operations`) and user-defined operations
are written in the same way.
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
    """Base class of all operations.

    A subclass has a field `operation`, whose literal value is the name in the config,
    fields for its parameters, and a method `apply`.

    Attributes
    ----------
    domains
        Domains on which `apply` works: one or more of `sphere`, `tile` and `harmonic`.
        A sky in any other domain is converted to the first of them.
    family
        Kind of information that the operation removes.
    nanoseconds_per_pixel
        Time per pixel and bin on one core, without spherical transforms
        (benchmarks/operations.py).
    """

    registry: ClassVar[Registry[Operation]] = Registry("operation")
    domains: ClassVar[tuple[Domain, ...]]
    family: ClassVar[Family] = Family.OWN
    nanoseconds_per_pixel: ClassVar[float] = 200

    @classmethod
    def __pydantic_init_subclass__(cls, **keywords: Any) -> None:
        """Register the operation; one without domains is an error."""
        super().__pydantic_init_subclass__(**keywords)
        if not cls.__name__.startswith("_") and not getattr(cls, "domains", ()):
            name = cls.model_fields["operation"].default
            raise ValueError(
                f"`{name}` has no domains; add the class attribute "
                '`domains = ("sphere",)`'
            )

    def check(self, survey: Survey) -> Survey:
        """Check the parameters against a survey, before any job runs.

        Returns
        -------
            The survey after the operation, which may change its bins or its noise.

        Raises
        ------
        ValueError
            If the operation is impossible: one line that starts with the key of the
            parameter and states which values are possible.
        """
        return survey

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Apply the operation to a sky in one of `domains`."""
        raise NotImplementedError


def load(path: Path) -> None:
    """Import a file that defines operations.

    Raises
    ------
    InfoscopeError
        If the file is missing, raises an error or defines no operation.
    """
    place = f"operation_files: {path}"
    if not path.is_file():
        raise InfoscopeError(f"{place}: no such file")
    # pydantic looks the module up in sys.modules to resolve annotations
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
            f"{place}: defines no operation; add a subclass of Operation"
        )
