"""A mask selects the tiles that lie in it."""

from __future__ import annotations

from pathlib import Path

import healpy
import numpy as np
import pytest

from infoscope.errors import InfoscopeError
from infoscope.maps.tiles import to_tiles
from infoscope.survey.footprint import selected_tiles

NSIDE, TILE_NSIDE = 32, 4


def write(path: Path, mask: np.ndarray, **options) -> Path:
    healpy.write_map(path, mask, dtype=np.float32, overwrite=True, **options)
    return path


@pytest.fixture
def cap() -> np.ndarray:
    """Pixels within 50 degrees of a point, RING order."""
    directions = np.array(healpy.pix2vec(NSIDE, np.arange(12 * NSIDE**2)))
    centre = healpy.ang2vec(70.0, -40.0, lonlat=True)
    return (centre @ directions > np.cos(np.deg2rad(50))).astype(float)


def test_tiles_are_those_in_a_cap(tmp_path: Path, cap: np.ndarray) -> None:
    tiles = selected_tiles(write(tmp_path / "m.fits", cap), NSIDE, TILE_NSIDE, 1)
    assert 0 < len(tiles) < 12 * TILE_NSIDE**2
    # as healpy degrades the mask: superpixels in NESTED order
    share = healpy.ud_grade(cap, TILE_NSIDE, order_out="NESTED")
    assert tiles == np.flatnonzero(share > 0.9999).tolist()
    # all corners of a tile are in the cap, and so is its centre
    centre = healpy.ang2vec(70.0, -40.0, lonlat=True)
    for tile in range(12 * TILE_NSIDE**2):
        corners = healpy.boundaries(TILE_NSIDE, tile, nest=True).T
        distance = np.rad2deg(np.arccos(corners @ centre))
        # to half a pixel of 1.8 degrees
        assert (distance < 50 + 0.9).all() or tile not in tiles
        assert (distance > 50 - 1.8).any() or tile in tiles
    # these are the tiles that maps are cut into
    inside = to_tiles(cap[None], TILE_NSIDE)[0].all(axis=(1, 2))
    assert tiles == np.flatnonzero(inside).tolist()


@pytest.mark.parametrize("nest", [False, True])
@pytest.mark.parametrize("partial", [False, True])
def test_order_and_coverage_of_the_file_do_not_matter(
    tmp_path: Path, cap: np.ndarray, nest: bool, partial: bool
) -> None:
    plain = selected_tiles(write(tmp_path / "m.fits", cap), NSIDE, TILE_NSIDE, 1)
    mask = np.where(cap > 0, 0.7, healpy.UNSEEN)
    mask = healpy.reorder(mask, r2n=True) if nest else mask
    path = write(tmp_path / "other.fits", mask, nest=nest, partial=partial)
    assert selected_tiles(path, NSIDE, TILE_NSIDE, 1) == plain


def test_fraction_lets_holes_be(tmp_path: Path) -> None:
    mask = np.ones(12 * NSIDE**2)
    mask[[0, 5000]] = 0
    path = write(tmp_path / "m.fits", mask)
    assert len(selected_tiles(path, NSIDE, TILE_NSIDE, 1)) == 12 * TILE_NSIDE**2 - 2
    assert len(selected_tiles(path, NSIDE, TILE_NSIDE, 63 / 64)) == 12 * TILE_NSIDE**2


def test_mask_of_another_nside_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m.fits", np.ones(12 * 16**2))
    with pytest.raises(
        InfoscopeError, match="nside 16, but survey.nside is 32; convert"
    ):
        selected_tiles(path, NSIDE, TILE_NSIDE, 1)


def test_mask_without_a_whole_tile_is_refused(tmp_path: Path, cap: np.ndarray) -> None:
    path = write(tmp_path / "m.fits", np.zeros(12 * NSIDE**2))
    with pytest.raises(InfoscopeError, match=r"no tile has 100% .* at most 0\.0%"):
        selected_tiles(path, NSIDE, TILE_NSIDE, 1)
    # half of every tile
    path = write(tmp_path / "m.fits", np.arange(12 * NSIDE**2) % 2, nest=True)
    with pytest.raises(InfoscopeError, match=r"no tile has 100% .* at most 50\.0%"):
        selected_tiles(path, NSIDE, TILE_NSIDE, 1)


@pytest.mark.parametrize("content", [None, b"", b"no FITS file"])
def test_what_is_no_mask_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "m.fits"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InfoscopeError, match=r"survey\.mask: .*m\.fits") as caught:
        selected_tiles(path, NSIDE, TILE_NSIDE, 1)
    assert "\n" not in str(caught.value)


def test_truncated_mask_is_one_line(tmp_path: Path, cap: np.ndarray) -> None:
    path = write(tmp_path / "m.fits", cap)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(InfoscopeError, match=r"survey\.mask: .*m\.fits"):
        selected_tiles(path, NSIDE, TILE_NSIDE, 1)
