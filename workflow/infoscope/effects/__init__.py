"""Systematic effects on the maps: what they are, and their keys in the config."""
