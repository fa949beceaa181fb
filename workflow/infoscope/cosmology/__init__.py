"""Cosmological parameters, distances and matter power spectra."""
