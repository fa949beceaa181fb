"""Fisher forecasts, non-linear scales, and tests of skies against theory."""
