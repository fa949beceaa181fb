"""Figures: a module with a function `draw` each, and what they share."""
