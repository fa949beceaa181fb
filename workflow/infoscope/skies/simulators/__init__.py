"""The simulators and readers of skies, one per module."""

from infoscope.registry import import_all

import_all(__name__, __path__)
