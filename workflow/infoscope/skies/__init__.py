"""Simulators and readers of convergence maps."""
