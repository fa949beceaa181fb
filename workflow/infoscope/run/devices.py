"""Check that the GPUs that a rule requests are available."""

from __future__ import annotations

import os

from infoscope.errors import InfoscopeError


def visible_gpus() -> int:
    """Count the GPUs that JAX can use."""
    # the import takes a second, which rules without a GPU save
    import jax

    return sum(device.platform == "gpu" for device in jax.devices())


def check_gpus() -> None:
    """Raise an error if a job would run on the CPU although it requested a GPU.

    `INFOSCOPE_GPUS` is the resource `gpu` of the rule. Only SLURM knows a request by
    `gres`; it stores the number of allocated GPUs in `SLURM_GPUS_ON_NODE`.

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
        reason = "SLURM allocated" if granted > asked else "the rule requests"
        raise InfoscopeError(
            f"{reason} {wanted} GPU but JAX sees {found}: install JAX's CUDA "
            'build (pip install "jax[cuda12]") or set the resource `gpu` of the rule '
            "to 0 and request no `gres`"
        )
