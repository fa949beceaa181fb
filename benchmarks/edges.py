r"""Treatments of the edges of patches by filters, on fields that are not periodic.

    OMP_NUM_THREADS=1 PYTHONPATH=workflow:. python benchmarks/edges.py

A patch of 24² pixels is cut out of a Gaussian field with a spectrum like that of
convergence, :math:`C_\ell \propto (1 + \ell / 50)^{-1.2}`, and half as much noise as
signal. Covariances of the pixels are exact: no number has sampling noise. Columns:

leak
    Share of the power after a hard filter that is that of modes which it removes.
transfer
    Largest error of the transfer function in the middle of the patch (Hann window),
    more than two fundamental modes away from a hard cut.
amplitude, slope
    Width of the posterior of the amplitude and of the slope of the spectrum from all
    filtered pixels, with a floor of 1 % of the noise, divided by the width before the
    filter; in brackets, divided by the same ratio for cosine modes with the noise
    N + floor / T².
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.fft import dctn, idctn

SIDE = 24
FUNDAMENTAL = 12.3  # 2π / side of a patch of 29.3°
FLOOR = 0.01
SLOPE = 1.2
LOW, HIGH = 40.0, 100.0

Transfer = Callable[[np.ndarray], np.ndarray]
UNIT = FUNDAMENTAL / 2 / np.pi * SIDE  # multipole of one radian per pixel


def spectrum(ell: np.ndarray) -> np.ndarray:
    """Return the spectrum of the field in units of the variance of a pixel."""
    return 4.0 * (1 + ell / 50) ** -SLOPE


NOISE = 0.6


def lowpass(profile: str, ell_0: float) -> Transfer:
    """Return a transfer function."""
    if profile == "tophat":
        return lambda ell: (ell <= ell_0).astype(float)
    sigma = np.pi / ell_0 / np.sqrt(8 * np.log(2))
    return lambda ell: np.exp(-ell * (ell + 1) * sigma**2 / 2)


def filters(profile: str) -> dict[str, Transfer]:
    """Return the four filters of a profile."""
    small, large = lowpass(profile, HIGH), lowpass(profile, LOW)
    return {
        "lowpass": small,
        "highpass": lambda ell: 1 - large(ell),
        "bandpass": lambda ell: small(ell) - large(ell),
        "bandstop": lambda ell: 1 - small(ell) + large(ell),
    }


def ell_of(side: int, step: float) -> np.ndarray:
    """Return the multipoles of plane waves."""
    number = step * np.fft.fftfreq(side, 1 / side)
    return np.hypot(number[:, None], number)


def cosine(maps: np.ndarray, transfer: Transfer) -> np.ndarray:
    """Filter as the operations do: continued as in a mirror."""
    number = FUNDAMENTAL / 2 * np.arange(SIDE)
    factor = transfer(np.hypot(number[:, None], number))
    modes = dctn(maps, axes=(1, 2), norm="ortho") * factor
    return idctn(modes, axes=(1, 2), norm="ortho")


def periodic(maps: np.ndarray, transfer: Transfer) -> np.ndarray:
    """Filter as if opposite edges were neighbours."""
    return np.fft.ifft2(np.fft.fft2(maps) * transfer(ell_of(SIDE, FUNDAMENTAL))).real


def padded(maps: np.ndarray, transfer: Transfer) -> np.ndarray:
    """Filter with zeros around the patch."""
    around = [(0, 0), (SIDE, SIDE), (SIDE, SIDE)]
    factor = transfer(ell_of(3 * SIDE, FUNDAMENTAL / 3))
    wide = np.fft.ifft2(np.fft.fft2(np.pad(maps, around)) * factor).real
    return wide[:, SIDE : 2 * SIDE, SIDE : 2 * SIDE]


def normalised(maps: np.ndarray, transfer: Transfer) -> np.ndarray:
    """Divide the padded filter by that of a map of ones, if it keeps the mean."""
    constant = transfer(np.zeros(1))[0]
    if constant == 0:  # the complement keeps it
        return maps - normalised(maps, lambda ell: 1 - transfer(ell))
    return padded(maps, transfer) / padded(np.ones((1, SIDE, SIDE)), transfer)


WAYS = {
    "mirror": cosine, "periodic": periodic, "zeros": padded, "normalised": normalised,
}  # fmt: skip


def covariance(power: Transfer) -> np.ndarray:
    """Return the covariance of the pixels of a patch of a large periodic field."""
    wide = 8 * SIDE
    ell = ell_of(wide, FUNDAMENTAL / 8)
    correlation = np.fft.ifft2(np.where(ell < np.pi * UNIT, power(ell), 0)).real
    i = np.arange(SIDE)
    lag = (i[:, None] - i) % wide
    rows, columns = lag[:, None, :, None], lag[None, :, None, :]
    return correlation[rows, columns].reshape(SIDE**2, SIDE**2)


def information(total: np.ndarray, derivatives: list[np.ndarray]) -> np.ndarray:
    """Return the Fisher matrix of a Gaussian vector."""
    relative = [np.linalg.solve(total, derivative) for derivative in derivatives]
    return np.array([[np.sum(a * b.T) / 2 for b in relative] for a in relative])


def power_in_annuli(matrix: np.ndarray) -> np.ndarray:
    """Return the expected power in the annuli of the middle of the patch."""
    window = np.sin(np.pi * (np.arange(SIDE) + 0.5) / SIDE) ** 2
    weight = np.outer(window, window).ravel()
    weighted = (matrix * weight[:, None] * weight).reshape(4 * [SIDE])
    modes = np.fft.ifft2(np.fft.fft2(weighted, axes=(0, 1)), axes=(2, 3))
    power = np.einsum("abab->ab", modes).real.ravel()
    annulus = np.rint(ell_of(SIDE, 1)).astype(int).ravel()
    return (np.bincount(annulus, power) / np.bincount(annulus))[: SIDE // 2]


def widths(matrix: np.ndarray) -> np.ndarray:
    """Return the widths of the parameters, each with the other one free."""
    return np.sqrt(np.diag(np.linalg.inv(matrix)))


def main() -> None:
    """Print a table."""
    slopes = lambda ell: spectrum(ell) * np.log1p(ell / 50)  # noqa: E731
    signal, tilted = covariance(spectrum), covariance(slopes)
    identity = np.eye(SIDE**2)
    before = widths(information(signal + NOISE * identity, [signal, tilted]))
    number = FUNDAMENTAL / 2 * np.arange(SIDE)
    ell = np.hypot(number[:, None], number).ravel()[1:]
    inside = ell < np.pi * UNIT
    shapes = np.array([spectrum(ell), slopes(ell)]) * inside

    def of_modes(transfer: np.ndarray, floor: float) -> np.ndarray:
        t2 = transfer**2
        total = t2 * (shapes[0] + NOISE) + floor**2 * NOISE
        share = t2 * shapes / total
        return widths(share @ share.T / 2)

    unfiltered = of_modes(np.ones_like(ell), 0)
    centres = FUNDAMENTAL * np.arange(SIDE // 2)
    print("profile   filter     edges         leak  transfer  amplitude       slope")
    for profile in ("tophat", "gaussian"):
        for name, transfer in filters(profile).items():
            near = np.zeros(len(centres), bool)
            if profile == "tophat":
                for cut in (LOW, HIGH):
                    near |= np.abs(centres - cut) < 2 * FUNDAMENTAL
            wanted = covariance(lambda ell, t=transfer: spectrum(ell) * t(ell) ** 2)
            wanted_power = power_in_annuli(wanted)
            kept = ~near & (wanted_power > 0.05 * power_in_annuli(signal))
            kept[:2] = False
            removed = covariance(
                lambda ell, t=transfer: np.where(t(ell) == 0, spectrum(ell), 0)
            )
            predicted = of_modes(transfer(ell), FLOOR) / unfiltered
            for way, run in WAYS.items():
                matrix = run(identity.reshape(-1, SIDE, SIDE), transfer)
                matrix = matrix.reshape(SIDE**2, SIDE**2).T
                after = matrix @ signal @ matrix.T
                leak = np.trace(matrix @ removed @ matrix.T) / np.trace(after)
                ratio = np.sqrt(power_in_annuli(after)[kept] / wanted_power[kept])
                total = after + NOISE * matrix @ matrix.T + FLOOR**2 * NOISE * identity
                derivatives = [after, matrix @ tilted @ matrix.T]
                left = widths(information(total, derivatives)) / before
                error = np.abs(ratio - 1).max() if kept.any() else np.nan
                numbers = "  ".join(
                    f"{a:5.2f} ({a / b:4.2f})"
                    for a, b in zip(left, predicted, strict=True)
                )
                print(
                    f"{profile:9} {name:10} {way:11} {leak:6.1%}  {error:7.1%}  "
                    f"{numbers}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
