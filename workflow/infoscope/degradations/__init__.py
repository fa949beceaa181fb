"""Degradations: operations that remove a feature from the maps.

A file with user-defined operations needs only these names::

    from infoscope.degradations import Operation, Sky, Survey
"""

from infoscope.degradations.operation import Operation
from infoscope.degradations.sky import Domain, Sky
from infoscope.survey.survey import Survey

__all__ = ["Domain", "Operation", "Sky", "Survey"]
