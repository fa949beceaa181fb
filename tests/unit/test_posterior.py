import h5py
import numpy as np
import pytest

from infoscope.errors import InfoscopeError
from infoscope.posterior import (
    fit_density,
    grid_axis,
    log_likelihood,
    posterior,
    widths,
)
from infoscope.stages import infer

PRIOR = {"omega_m": [0.15, 0.45], "sigma_8": [0.5, 1.2]}


def simulate(n_sky=64, n_tile=48, seed=0, theta=None):
    rng = np.random.default_rng(seed)
    if theta is None:
        theta = rng.uniform([0.15, 0.5], [0.45, 1.2], (n_sky, 2))
    s_8 = theta[:, 1] * np.sqrt(theta[:, 0] / 0.3)
    mean = np.stack([0.3 + 0.2 * (theta[:, 0] - 0.3), s_8], 1)[:, None]
    std = np.stack([0.03 * np.ones_like(s_8), 0.05 * s_8], 1)[:, None]
    return mean + std * rng.standard_normal((len(theta), n_tile, 2)), theta


def flat(summary, theta):
    return summary.reshape(-1, 2), theta.repeat(summary.shape[1], axis=0)


def test_fit_is_better_than_neighbours():
    summary, theta = flat(*simulate())
    ones = np.ones(len(theta))
    density = fit_density(summary, theta, ones)
    best = log_likelihood(density, summary, theta).sum()
    rng = np.random.default_rng(1)
    for size in (0.003, 0.01):
        mean = density.mean + size * rng.standard_normal(density.mean.shape)
        factor = density.factor + size * rng.standard_normal(density.factor.shape)
        for other in (
            type(density)(density.scaling, mean, density.factor),
            type(density)(density.scaling, density.mean, factor),
        ):
            assert log_likelihood(other, summary, theta).sum() < best


def test_weights_equal_repeats_and_warm_starts_agree():
    summary, theta = flat(*simulate())
    weights = np.random.default_rng(2).integers(0, 3, len(theta))
    base = fit_density(summary, theta, np.ones(len(theta)))
    rows = np.repeat(np.arange(len(theta)), weights)
    weighted = fit_density(summary, theta, weights, start=base)
    repeated = fit_density(summary[rows], theta[rows], np.ones(len(rows)))
    np.testing.assert_allclose(
        log_likelihood(weighted, summary, theta),
        log_likelihood(repeated, summary, theta),
        atol=0.03,
    )


def test_posterior_is_likelihood_on_the_grid():
    summary, theta = flat(*simulate())
    density = fit_density(summary, theta, np.ones(len(theta)))
    omega_m, sigma_8 = grid_axis((0.15, 0.45), 30), grid_axis((0.5, 1.2), 20)
    p = posterior(density, summary[:3], omega_m, sigma_8)
    grid = np.stack(np.meshgrid(omega_m, sigma_8, indexing="ij"), -1).reshape(-1, 2)
    direct = np.exp(log_likelihood(density, summary[2:3].repeat(600, 0), grid))
    np.testing.assert_allclose(p[2].ravel(), direct / direct.sum(), atol=1e-9)
    np.testing.assert_allclose(p.sum(axis=(1, 2)), 1)


def test_widths_of_a_gaussian_and_of_the_prior():
    omega_m, sigma_8 = grid_axis((0.15, 0.45), 96), grid_axis((0.5, 1.2), 96)
    x, y = np.meshgrid(omega_m, sigma_8, indexing="ij")
    gaussian = np.exp(-(((x - 0.3) / 0.02) ** 2 + ((y - 0.85) / 0.05) ** 2) / 2)
    both = np.stack([gaussian / gaussian.sum(), np.full_like(x, 1 / x.size)])
    narrow, prior = widths(both, omega_m, sigma_8)
    np.testing.assert_allclose(narrow[1:3], [0.02, 0.05], rtol=1e-3)
    area = -2 * np.pi * np.log(1 - 0.683) * 0.02 * 0.05
    np.testing.assert_allclose(narrow[3:], [area, 1 / area], rtol=0.01)
    np.testing.assert_allclose(prior[3], 0.683 * 0.3 * 0.7, rtol=1e-3)
    np.testing.assert_allclose(prior[1], 0.3 / np.sqrt(12), rtol=1e-3)


def test_few_cosmologies_do_not_break_the_fit():
    summary, theta = flat(*simulate(n_sky=4, n_tile=12))
    density = fit_density(summary, theta, np.ones(len(theta)))
    axes = grid_axis((0.15, 0.45), 24), grid_axis((0.5, 1.2), 24)
    assert np.isfinite(widths(posterior(density, summary, *axes), *axes)).all()


def test_refuses_values_that_are_not_finite():
    summary, theta = flat(*simulate())
    summary[5, 0] = np.nan
    with pytest.raises(InfoscopeError, match="not finite"):
        fit_density(summary, theta, np.ones(len(theta)))


def write_summaries(path, seed):
    fiducial = np.tile([0.2915, 0.7835], (8, 1))
    with h5py.File(path, "w") as file:
        for name, (summary, theta) in {
            "test": simulate(seed=seed),
            "fiducial": simulate(seed=seed + 10, theta=fiducial),
        }.items():
            group = file.create_group(name)
            group["summary"], group["theta"] = summary.astype(np.float32), theta
        file.attrs["train_nll"], file.attrs["validation_nll"] = -1.0, -0.5 - seed
        file.attrs["validation_error"], file.attrs["final_drop"] = 0.01, 0.0


def test_stage_is_quick_and_repeatable(tmp_path):
    spec = {
        "degradation": "reference",
        "estimator_name": "cnn",
        "kind": "cnn",
        "prior": PRIOR,
        "posterior": {"grid_size": 96, "bootstraps": 30},
        "study_seed": 1,
    }
    paths = [tmp_path / f"{seed}.h5" for seed in range(2)]
    for seed, path in enumerate(paths):
        write_summaries(path, seed)
    infer.run(spec, paths, tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as file:
        assert file["widths"].shape == (2, 384, 5)
        assert file["bootstrap"].shape == (2, 30, 5)
        assert file["density"].shape == (2, 96, 96)
        assert file.attrs["validation_nll"] == -1.0
        assert list(file.attrs["metric"])[0] == "sigma_s8"
        scatter = file["bootstrap"][:].std(axis=1) / file["width"][:]
        shift = file["bootstrap"][:].mean(axis=1) / file["width"][:] - 1
        assert (scatter > 0).all() and (scatter < 0.2).all()
        assert (np.abs(shift) < scatter + 0.02).all()
