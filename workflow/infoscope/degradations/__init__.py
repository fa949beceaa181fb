"""Degradations: operations that remove a feature from the maps."""
