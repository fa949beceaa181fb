"""Operations: their base class and the registry of their names.

An operation is a class that defines its parameters, its family, its cost and its effect
on patches. Built-in operations (`degradations.operations`) and user-defined operations
are written in the same way.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from infoscope.degradations.patches import Constants, Patches
from infoscope.errors import InfoscopeError
from infoscope.models import file_of
from infoscope.registry import Choice, Registry
from infoscope.survey.survey import Survey
from infoscope.vocabulary import Family

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Response:
    r"""Response of the spectra of Gaussian fields to an operation.

    .. math:: b'_\ell = W_\ell b_\ell + n

    Attributes
    ----------
    weights
        The matrix :math:`W_\ell`.
    noise
        Spectrum of the white noise :math:`n` that is added to each new bin, in
        steradian.
    """

    weights: Float[NDArray, "n_ell n_new n_bins"]
    noise: Float[NDArray, " n_new"]

    @classmethod
    def mixing(
        cls,
        weights: Float[NDArray, "n_new n_bins"],
        ell: Float[NDArray, " n_ell"],
    ) -> Response:
        """Response to linear combinations of the bins."""
        shape = (len(ell), *np.shape(weights))
        return cls(np.broadcast_to(weights, shape), np.zeros(len(weights)))


class Operation(Choice):
    """Base class of all operations.

    A subclass has a field `operation`, whose literal value is the name in the config,
    fields for its parameters, and a method `apply`.

    Attributes
    ----------
    family
        Kind of information that the operation removes.
    nanoseconds_per_pixel
        Time per pixel and bin on one core (benchmarks/operations.py).
    preserves_spectra
        Whether the auto- and cross-spectra of each patch stay exactly the same.
    """

    registry: ClassVar[Registry[Operation]] = Registry("operation")
    family: ClassVar[Family] = Family.OWN
    nanoseconds_per_pixel: ClassVar[float] = 200
    preserves_spectra: ClassVar[bool] = False

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

    @property
    def invertible(self) -> bool:
        """Whether a Gaussian filter without a floor, which can be divided out again."""
        return False

    @property
    def needs_fit(self) -> bool:
        """Whether the operation has constants that are fitted to fiducial patches."""
        return type(self).fit is not Operation.fit

    def fit(self, patches: Patches) -> Constants:
        """Fit constants to patches of the fiducial cosmology.

        Parameters
        ----------
        patches
            Patches after the operations before this one.

        Returns
        -------
            Constants that `apply` receives, one number per bin.

        Raises
        ------
        InfoscopeError
            If there are no such constants: one line that starts with a key.
        """
        return {}

    def apply(
        self, patches: Patches, constants: Constants, rng: np.random.Generator
    ) -> Patches:
        """Apply the operation.

        Each patch must be a function of the same patch before, of the constants and of
        random numbers, whose number may depend only on the shape of the patches.
        Otherwise, a patch could contain information of others.

        Parameters
        ----------
        patches
            Patches after the operations before this one. They must not be changed.
        constants
            What `fit` returns.
        rng
            Random number generator.
        """
        raise NotImplementedError

    def response(
        self, survey: Survey, ell: Float[NDArray, " n_ell"]
    ) -> Response | None:
        """Return the response of Gaussian fields, for the Fisher forecast.

        Parameters
        ----------
        survey
            Survey before the operation.
        ell
            Multipoles.

        Returns
        -------
            The response; None if the operation is not linear.
        """
        return None


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
