"""Fisher forecasts, and skies against theory."""
