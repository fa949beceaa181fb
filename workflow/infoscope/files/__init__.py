"""Reading and writing files: atomic writes, HDF5, stored precision and CSV tables."""
