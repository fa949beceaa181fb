"""A mask selects the patches that lie in it."""

from __future__ import annotations

from pathlib import Path

import healpy
import numpy as np
import pytest

from infoscope.errors import InfoscopeError
from infoscope.maps.patches import centres, cut
from infoscope.survey.config import PatchConfig
from infoscope.survey.footprint import selected_patches

NSIDE = 64
PATCH = PatchConfig(side_deg=12, pixels=16)
CENTRE, RADIUS = healpy.ang2vec(70.0, -40.0, lonlat=True), 50.0


def write(path: Path, mask: np.ndarray, **options) -> Path:
    healpy.write_map(path, mask, dtype=np.float32, overwrite=True, **options)
    return path


def cap_of(nside: int) -> np.ndarray:
    """Pixels within 50 degrees of a point, RING order."""
    directions = np.array(healpy.pix2vec(nside, np.arange(12 * nside**2)))
    return (CENTRE @ directions > np.cos(np.radians(RADIUS))).astype(float)


@pytest.fixture
def cap() -> np.ndarray:
    return cap_of(NSIDE)


@pytest.mark.parametrize("nside", [NSIDE, 256])
def test_patches_are_those_in_a_cap(tmp_path: Path, nside: int) -> None:
    """The mask may have any nside: patches have the same pixels."""
    mask = cap_of(nside)
    patches = selected_patches(write(tmp_path / "m.fits", mask), PATCH, 1)
    assert 0.1 * PATCH.number < len(patches) < 0.25 * PATCH.number
    away = np.degrees(np.arccos(healpy.ang2vec(*centres(PATCH.number).T) @ CENTRE))
    # a patch extends from its centre by 6 degrees, and to its corners by 8.5
    pixel = 60 / nside
    for patch, distance in enumerate(away):
        assert distance < RADIUS - 6 + pixel or patch not in patches
        assert distance > RADIUS - 8.6 - pixel or patch in patches
    # the same patches that maps are cut into
    shares = cut(mask[None], PATCH.side_deg, PATCH.pixels, PATCH.number)[0]
    shares = (shares > 0.5).mean(axis=(1, 2))
    assert shares[patches].min() > 0.97


@pytest.mark.parametrize("nest", [False, True])
@pytest.mark.parametrize("partial", [False, True])
def test_order_and_coverage_of_the_file_do_not_matter(
    tmp_path: Path, cap: np.ndarray, nest: bool, partial: bool
) -> None:
    plain = selected_patches(write(tmp_path / "m.fits", cap), PATCH, 1)
    mask = np.where(cap > 0, 0.7, healpy.UNSEEN)
    mask = healpy.reorder(mask, r2n=True) if nest else mask
    path = write(tmp_path / "other.fits", mask, nest=nest, partial=partial)
    assert selected_patches(path, PATCH, 1) == plain


def test_fraction_lets_holes_be(tmp_path: Path) -> None:
    """A hole at the centre of a patch removes 3 % of its area."""
    patch = PatchConfig(side_deg=12, pixels=16, per_sky=40)
    mask = np.ones(12 * NSIDE**2)
    hole = healpy.ang2vec(*centres(40)[7])
    mask[healpy.query_disc(NSIDE, hole, np.radians(1.2))] = 0
    path = write(tmp_path / "m.fits", mask)
    others = [index for index in range(40) if index != 7]
    assert selected_patches(path, patch, 1) == others
    assert selected_patches(path, patch, 0.99) == others
    assert selected_patches(path, patch, 0.95) == list(range(40))


def test_mask_without_a_whole_patch_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m.fits", np.zeros(12 * NSIDE**2))
    with pytest.raises(InfoscopeError, match=r"no patch has 100% .* at most 0\.0%"):
        selected_patches(path, PATCH, 1)
    # every second pixel
    path = write(tmp_path / "m.fits", np.arange(12 * NSIDE**2) % 2, nest=True)
    with pytest.raises(InfoscopeError, match=r"at most [56]\d\.\d%; reduce survey"):
        selected_patches(path, PATCH, 1)


@pytest.mark.parametrize("content", [None, b"", b"no FITS file"])
def test_what_is_no_mask_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "m.fits"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InfoscopeError, match=r"survey\.mask: .*m\.fits") as caught:
        selected_patches(path, PATCH, 1)
    assert "\n" not in str(caught.value)


def test_truncated_mask_is_one_line(tmp_path: Path, cap: np.ndarray) -> None:
    path = write(tmp_path / "m.fits", cap)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(InfoscopeError, match=r"survey\.mask: .*m\.fits"):
        selected_patches(path, PATCH, 1)
