"""Spherical transforms, tiles and pixel windows: arrays in, arrays out."""
