"""The GPUs that a rule asks for are there."""

from __future__ import annotations

import os

from infoscope.errors import InfoscopeError


def check_gpus() -> None:
    """Refuse to compute on the CPU what `INFOSCOPE_GPUS` says is for a GPU.

    Raises
    ------
    InfoscopeError
        If JAX sees fewer GPUs.
    """
    wanted = int(os.environ.get("INFOSCOPE_GPUS") or 0)
    if not wanted:
        return
    # a second to import, which rules without a GPU may do without
    import jax

    found = sum(device.platform == "gpu" for device in jax.devices())
    if found < wanted:
        raise InfoscopeError(
            f"the rule asks for {wanted} GPU but JAX sees {found}: install JAX's CUDA "
            'build (pip install "jax[cuda12]") or set the resource `gpu` of the rule '
            "to 0"
        )
