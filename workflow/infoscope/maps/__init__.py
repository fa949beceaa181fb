"""Spherical harmonic transforms, patches and pixel windows of HEALPix maps."""
