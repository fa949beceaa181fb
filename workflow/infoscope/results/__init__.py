"""Widths, their comparison, and claims."""
