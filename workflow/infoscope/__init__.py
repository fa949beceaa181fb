"""Find the structures in a lensing survey that a network learns cosmology from."""
