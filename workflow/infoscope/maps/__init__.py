"""Spherical harmonic transforms, tiles and pixel windows of HEALPix maps."""
