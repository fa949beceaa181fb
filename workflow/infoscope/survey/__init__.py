"""The survey: n(z), galaxy densities, shape noise and footprint."""
