import itertools

import h5py
import numpy as np
import pytest

from infoscope.estimators import batches
from infoscope.estimators.batches import Inputs
from infoscope.files.precision import NOISY_TILES, Maps, tiles_in_piece

N_SKY, N_TILE, SIDE = 12, 12, 4


@pytest.fixture
def dataset(tmp_path):
    """Return tiles in a file, whose pixels have the number of the tile as value."""
    numbers = np.arange(N_SKY * N_TILE, dtype=np.float32)
    values = np.broadcast_to(
        numbers.reshape(N_SKY, N_TILE, 1, 1, 1), (N_SKY, N_TILE, SIDE, SIDE, 2)
    )
    with h5py.File(tmp_path / "d.h5", "w") as file:
        chunk = (1, N_TILE // 3, *values.shape[2:])
        tiles = Maps.create(file, "tiles", NOISY_TILES, values.shape, chunk)
        for sky in range(N_SKY):
            tiles[sky] = values[sky]
    with h5py.File(tmp_path / "d.h5") as file:
        yield Maps.of(file, "tiles")


@pytest.fixture
def small_pool(monkeypatch):
    """Limit the pool to three skies, and pieces to a third of a sky."""
    tile = 4 * SIDE * SIDE * 2
    monkeypatch.setattr(batches, "POOL_BYTES", 3 * N_TILE * tile)
    monkeypatch.setattr(batches, "tiles_in_piece", lambda n, size: N_TILE // 3)


def inputs_of(dataset, skies=range(N_SKY)):
    skies = np.array(skies)
    target = np.stack([skies, -skies], axis=1).astype(np.float32)
    return Inputs.of_maps(dataset, skies, target)


def numbers(stream, n):
    return [x[:, 0, 0, 0].astype(int) for x, _ in itertools.islice(stream, n)]


def test_small_data_are_read_at_once(dataset):
    assert isinstance(inputs_of(dataset).values, np.ndarray)


def test_large_data_stay_on_disk(dataset, small_pool):
    assert isinstance(inputs_of(dataset).values, Maps)


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_an_epoch_contains_each_tile_once_with_its_target(dataset, where, request):
    if where == "disk":
        request.getfixturevalue("small_pool")
    stream = batches.batches(inputs_of(dataset), 12, seed=3)
    epochs = []
    for _ in range(2):
        seen = []
        for x, target in itertools.islice(stream, N_SKY):
            assert x.shape == (12, SIDE, SIDE, 2)
            tile = x[:, 0, 0, 0].astype(int)
            np.testing.assert_array_equal(target[:, 0], tile // N_TILE)
            np.testing.assert_array_equal(target[:, 1], -(tile // N_TILE))
            seen += list(tile)
        assert sorted(seen) == list(range(N_SKY * N_TILE))
        epochs.append(seen)
    assert epochs[0] != epochs[1]


def test_a_pool_from_disk_mixes_many_skies(dataset, small_pool):
    stream = batches.batches(inputs_of(dataset), 12, seed=3)
    skies = {number // N_TILE for batch in numbers(stream, 3) for number in batch}
    assert len(skies) > 5


@pytest.mark.parametrize("first", [0, 1, 11, 12, 30])
@pytest.mark.parametrize("where", ["memory", "disk"])
def test_batches_can_start_at_any_step(dataset, first, where, request):
    if where == "disk":
        request.getfixturevalue("small_pool")
    inputs = inputs_of(dataset)
    whole = numbers(batches.batches(inputs, 10, seed=3), first + 5)
    late = numbers(batches.batches(inputs, 10, seed=3, first=first), 5)
    np.testing.assert_array_equal(late, whole[first:])


def test_only_chosen_skies_are_used(dataset, small_pool):
    for skies in ([1, 3], [0, 2, 4, 5, 11]):
        inputs = inputs_of(dataset, skies)
        stream = batches.batches(inputs, 8, seed=3)
        seen = {n // N_TILE for batch in numbers(stream, 20) for n in batch}
        assert seen == set(skies)
        parts = np.concatenate(list(inputs.parts(20)))
        assert list(parts[::N_TILE, 0, 0, 0] / N_TILE) == skies


def test_a_batch_is_never_larger_than_the_data(dataset):
    inputs = inputs_of(dataset, [4])
    assert len(numbers(batches.batches(inputs, 64, seed=3), 1)[0]) == N_TILE


def test_a_batch_may_be_larger_than_a_pool(dataset, small_pool):
    size = 5 * N_TILE
    stream = batches.batches(inputs_of(dataset), size, seed=3)
    assert [len(batch) for batch in numbers(stream, 4)] == [size] * 4


def test_the_first_pool_contains_all_inputs_that_fit(dataset, request):
    assert len(inputs_of(dataset).first_pool(1)[0]) == N_SKY * N_TILE
    request.getfixturevalue("small_pool")
    assert len(inputs_of(dataset).first_pool(1)[0]) == 3 * N_TILE


@pytest.mark.parametrize(
    ("side", "expected"), [(16, 48), (64, 16), (128, 4), (256, 1), (512, 1)]
)
def test_pieces_have_a_size_of_about_one_mebibyte(side, expected):
    assert tiles_in_piece(48, 4 * 4 * side**2) == expected
