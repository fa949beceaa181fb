"""Degradations: operations that remove a feature from the maps.

A file with user-defined operations needs only these names::

    from infoscope.degradations import Constants, Operation, Patches, Survey

`apply_operations` applies operations to an array, without a study.
"""

from infoscope.degradations.arrays import apply_operations
from infoscope.degradations.operation import Operation, Response
from infoscope.degradations.patches import Constants, Patches
from infoscope.survey.survey import Survey

__all__ = [
    "Constants",
    "Operation",
    "Patches",
    "Response",
    "Survey",
    "apply_operations",
]
