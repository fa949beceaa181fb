"""Estimators: networks, their inputs and their training."""
