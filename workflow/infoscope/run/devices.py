"""The GPUs that a rule asks for are there."""

from __future__ import annotations

import os

from infoscope.errors import InfoscopeError


def visible_gpus() -> int:
    """Count the GPUs that JAX can use."""
    # a second to import, which rules without a GPU may do without
    import jax

    return sum(device.platform == "gpu" for device in jax.devices())


def check_gpus() -> None:
    """Refuse to compute on the CPU what was meant for a GPU.

    `INFOSCOPE_GPUS` is the resource `gpu` of the rule. A request by `gres` is known to
    SLURM only, which counts in `SLURM_GPUS_ON_NODE` what it granted.

    Raises
    ------
    InfoscopeError
        If JAX sees fewer GPUs.
    """
    names = ("INFOSCOPE_GPUS", "SLURM_GPUS_ON_NODE")
    asked, granted = (int(os.environ.get(name) or 0) for name in names)
    wanted = max(asked, granted)
    if not wanted:
        return
    found = visible_gpus()
    if found < wanted:
        reason = "SLURM granted" if granted > asked else "the rule asks for"
        raise InfoscopeError(
            f"{reason} {wanted} GPU but JAX sees {found}: install JAX's CUDA "
            'build (pip install "jax[cuda12]") or set the resource `gpu` of the rule '
            "to 0, and ask for no `gres`"
        )
