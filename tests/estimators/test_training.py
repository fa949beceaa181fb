import jax
import numpy as np
import pytest

from infoscope.cosmology.config import Prior
from infoscope.cosmology.parameters import omega_m_s8
from infoscope.errors import InfoscopeError
from infoscope.estimators.batches import Inputs
from infoscope.estimators.checkpoints import Checkpoints
from infoscope.estimators.config import TrainingConfig
from infoscope.estimators.kinds import cnn, power_spectrum
from infoscope.estimators.training import (
    Bounds,
    Standardisation,
    apply_symmetry,
    mean_error,
    predict,
    train,
)

SIDE = 16
CNN = cnn.CNN(stem=2, features=16, channels=8, blocks=1, steps=300, batch_size=64)
SPECTRA = power_spectrum.PowerSpectrum(n_ell=4, hidden=16, steps=300, batch_size=64)
TRAINING = TrainingConfig(evaluate_every=50, patience=10)
# A step multiplies weights by 1 - 0.3 rate, where 0.3 is the weight decay of the power
# spectrum: by more than 1 in absolute value at this rate, but not at 0.3 of it.
DIVERGING = 12.0
# loss of the best Gaussian for two parameters that are uniform in [-1, 1]
PRIOR_NLL = 1 - np.log(3)


def toy(n, seed):
    """Return tiles whose mean and variance are linear in the two targets."""
    generator = np.random.default_rng(seed)
    target = generator.uniform(-1, 1, size=(n, 2)).astype(np.float32)
    noise = generator.normal(size=(n, SIDE, SIDE, 2))
    variance = 1 + 0.7 * target[:, 1, None, None, None]
    tiles = 0.3 * target[:, 0, None, None, None] + np.sqrt(variance) * noise
    return tiles.astype(np.float32), target


def inputs(tiles, target):
    """Return inputs with one tile per sky."""
    return Inputs.of_array(tiles[:, None], target)


def quiet(line):
    pass


def trained(config, seed=1, training=TRAINING, log=quiet, checkpoints=None):
    data = inputs(*toy(1000, 1)), inputs(*toy(300, 2))
    return train(config, training, *data, seed, log, checkpoints)


def same(one, other):
    equal = jax.tree.map(np.array_equal, one.params, other.params)
    return one.history == other.history and all(jax.tree.leaves(equal))


def test_cnn_learns_mean_and_variance():
    result = trained(CNN)
    assert result.best.validation_nll < PRIOR_NLL - 1
    tiles, target = toy(200, 3)
    found = predict(CNN, result, inputs(tiles, target))
    assert found.shape == (200, 1, 2)
    error = (found[:, 0] - target).std(axis=0)
    assert (error < 0.35).all()  # the prior has 0.58


def test_power_spectrum_learns_the_variance():
    result = trained(SPECTRA)
    assert result.best.validation_nll < PRIOR_NLL - 0.5
    tiles, target = toy(200, 3)
    error = (predict(SPECTRA, result, inputs(tiles, target))[:, 0] - target).std(axis=0)
    assert error[1] < 0.3


def test_results_depend_only_on_the_seed():
    config = CNN.model_copy(update={"steps": 40})
    one, again, other = (trained(config, seed) for seed in (1, 1, 2**62))
    assert same(one, again)
    assert one.history != other.history


def test_the_best_evaluation_is_kept_and_training_stops_early():
    tiles, target = toy(32, 1)
    held_out, noise = toy(100, 2)[0], toy(100, 5)[1]
    result = train(
        SPECTRA.model_copy(update={"steps": 2000, "learning_rate": 0.02}),
        TrainingConfig(evaluate_every=20, patience=2),
        *(inputs(tiles, target), inputs(held_out, noise), 1),
        quiet,
    )
    losses = [evaluation.validation_nll for evaluation in result.history]
    assert result.stopped == "patience"
    assert result.best.validation_nll == min(losses)
    assert result.history[-1].step == result.best_step + 2 * 20


def test_one_line_is_logged_per_evaluation():
    lines = []
    result = trained(SPECTRA, log=lines.append)
    assert len(lines) == len(result.history) == 6
    assert "step 50/300" in lines[0]
    assert "ETA" in lines[0]


def test_nan_is_an_error_that_names_the_step():
    tiles, target = toy(64, 1)
    target[:] = np.nan
    data = inputs(tiles, target)
    lines = []
    with pytest.raises(InfoscopeError, match="not finite at step 1, despite"):
        train(SPECTRA, TRAINING, data, data, 1, lines.append)
    assert "restarting from step 0" in lines[0]


def test_a_training_run_that_diverges_restarts_with_a_smaller_learning_rate():
    tiles, target = toy(400, 1)
    config = SPECTRA.model_copy(update={"learning_rate": DIVERGING, "steps": 100})
    training = TrainingConfig(evaluate_every=20, patience=10)
    lines = []
    data = inputs(tiles, target)
    result = train(config, training, data, data, 1, lines.append)
    assert any("not finite at step" in line for line in lines)
    assert result.history[-1].restarts == 1
    assert result.history[-1].step == 100


class Killed(Exception):
    pass


@pytest.mark.parametrize("config", [CNN, SPECTRA])
def test_a_resumed_training_run_has_the_same_result(tmp_path, config):
    config = config.model_copy(update={"steps": 150})
    training = TrainingConfig(evaluate_every=25, patience=10)

    def die(line):
        if "step 75/" in line:
            raise Killed

    kept = tmp_path / ".checkpoint-1"
    with pytest.raises(Killed):
        trained(config, 1, training, die, Checkpoints(kept, interval_seconds=0))
    lines = []
    checkpoints = Checkpoints(kept, interval_seconds=0)
    resumed = trained(config, 1, training, lines.append, checkpoints)
    assert lines[0] == "resuming from the checkpoint at step 75"
    assert len(lines) == 1 + 3
    assert same(resumed, trained(config, 1, training))
    checkpoints.delete()
    assert not kept.exists()


def test_checkpoints_are_not_written_too_often(tmp_path):
    trained(SPECTRA, checkpoints=Checkpoints(tmp_path / "c", interval_seconds=3600))
    assert not (tmp_path / "c").exists()


def test_error_of_the_mean_loss_leaves_out_what_parameters_explain():
    generator = np.random.default_rng(1)
    target = generator.uniform(-1, 1, (60, 2))
    smooth = 3 * target[:, 0] - target[:, 1] ** 2
    noise = generator.normal(0, 0.1, 60)
    assert mean_error(smooth + noise, target) == pytest.approx(0.1 / 60**0.5, rel=0.25)
    few = mean_error((smooth + noise)[:8], target[:8])
    assert few == pytest.approx((smooth + noise)[:8].std(ddof=1) / 8**0.5)


def test_tiles_have_eight_symmetries():
    tile = np.arange(9.0, dtype=np.float32).reshape(1, 3, 3, 1)
    seen = {apply_symmetry(tile, symmetry).tobytes() for symmetry in range(8)}
    turns = [np.rot90(tile, k, axes=(1, 2)) for k in range(4)]
    expected = {t.tobytes() for t in turns} | {t[:, ::-1].tobytes() for t in turns}
    assert seen == expected


def test_constant_channels_stay_finite():
    x = np.full((4, 2, 2, 1), 0.0, dtype=np.float32)
    assert (Standardisation.of_inputs(x)(x) == 0).all()


def test_bounds_are_the_corners_of_the_prior():
    prior = Prior(omega_m=(0.15, 0.45), sigma_8=(0.5, 1.2))
    bounds = Bounds.of_prior(prior)
    corners = omega_m_s8(np.array([[0.15, 0.5], [0.45, 1.2], [0.3, 0.8]]))
    np.testing.assert_allclose(bounds.scale(corners[:2]), [[-1, -1], [1, 1]])
    np.testing.assert_allclose(bounds.unscale(bounds.scale(corners)), corners, 1e-6)
    assert corners[2, 1] == pytest.approx(0.8)


def test_summaries_do_not_depend_on_orientation():
    result = trained(CNN.model_copy(update={"steps": 20}))
    tiles, target = toy(20, 3)
    tiles[:, 0] += 1  # a bright edge
    found = [
        predict(CNN, result, inputs(apply_symmetry(tiles, symmetry), target))
        for symmetry in range(8)
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=1e-5)
