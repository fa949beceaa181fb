"""Files: atomic writes, HDF5, stored precision and CSV tables."""
