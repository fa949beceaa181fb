"""Estimators: networks, their inputs and how they are trained."""
