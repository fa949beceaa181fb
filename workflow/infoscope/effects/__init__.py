"""Systematic effects on the maps, and their keys in the config."""
