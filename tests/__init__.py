"""Tests of the package, the workflow and the science.

Each process that runs tests uses one core, so that several run side by side. They keep
what JAX has compiled for each other as long as they last.
"""

import os
import tempfile

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC"):
    os.environ.setdefault(_name, "1")
# the processes that run tests inherit it from the one that starts them
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _cache = tempfile.TemporaryDirectory(prefix="infoscope-jax-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
