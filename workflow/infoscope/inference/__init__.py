"""Densities of summaries, posteriors and their calibration."""
