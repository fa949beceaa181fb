"""Systematic effects on the maps, one module each."""
