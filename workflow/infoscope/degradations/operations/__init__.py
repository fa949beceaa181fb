"""The built-in operations, each with its parameters, family and cost."""

from infoscope.registry import import_all

import_all(__name__, __path__)
