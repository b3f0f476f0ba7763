"""The region that a feature looks at, other regions of its shape, and what can take its place in the picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from barlow_core.errors import BarlowError
from barlow_core.interventions.settings import FILLS
from barlow_core.panels.pictures import heatmaps

OVERLAP = 0.25  # of a region and another one "elsewhere", at most, as a share of its area; where the picture has room for it
NOISE = 0.25  # deviation of the noise of "noise", for pixels in [0, 1]
RADIUS = 3.0  # of cv2.inpaint, in pixels
BLUR = 8  # the deviation of the blur is the side of the image divided by this


def feature_regions(maps: torch.Tensor, size: int, threshold: float) -> np.ndarray:
    """Where in each image a feature looks.

    Args:
        maps: (n, h, w), of the feature (`panels.pictures.weighted_maps`).
        size: side of the images, in pixels.
        threshold: of the heatmap, which is scaled to [0, 1] in each image.

    Returns:
        (n, size, size) bool; nothing of an image whose map is the same everywhere.
    """
    return heatmaps(maps, size) >= threshold


def widened(regions: np.ndarray, margin: int) -> np.ndarray:
    """Regions (n, H, W) bool with all pixels that lie at most `margin` rows and columns from them."""
    kernel = np.ones((2 * margin + 1, 2 * margin + 1), dtype=np.uint8)
    return np.stack([cv2.dilate(one.astype(np.uint8), kernel) > 0 for one in regions]) if len(regions) else regions.copy()


def regions_of_area(maps: torch.Tensor, size: int, areas: np.ndarray) -> np.ndarray:
    """Where in each image another feature looks most, in regions of given areas: (n, size, size) bool, `areas` (n,) pixels each."""
    heat = heatmaps(maps, size).reshape(len(areas), -1)
    order = np.argsort(-heat, axis=1, kind="stable")
    inside = np.zeros_like(heat, dtype=bool)
    for row, (places, area) in enumerate(zip(order, areas, strict=True)):
        inside[row, places[:area]] = True
    return inside.reshape(-1, size, size)


def moved_regions(regions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each region at a random other place of its image: the same area and shape, (n, H, W) bool.

    Places are drawn from those where the region lies wholly inside and shares at most `OVERLAP` of its area with the original. Where
    there is none, because the region is large, what leaves the image on one side comes back on the other, at one of the places
    with the least overlap.
    """
    return np.stack([_moved(region, rng) for region in regions]) if len(regions) else regions.copy()


def _moved(region: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    area = int(region.sum())
    if not area:
        return region.copy()
    spectrum = np.fft.rfft2(region)
    # The autocorrelation at (dy, dx): pixels that the region shares with itself rolled by so much.
    shared = np.rint(np.fft.irfft2(np.abs(spectrum) ** 2, s=region.shape))
    inside = np.zeros(region.shape, dtype=bool)
    (rows,), (columns,) = np.nonzero(region.any(axis=1)), np.nonzero(region.any(axis=0))
    dy = np.arange(-rows[0], region.shape[0] - rows[-1])
    dx = np.arange(-columns[0], region.shape[1] - columns[-1])
    inside[np.ix_(dy, dx)] = True
    places = np.argwhere(inside & (shared <= OVERLAP * area))
    if not len(places):
        places = np.argwhere(shared <= np.quantile(shared, 0.1))
    return np.roll(region, tuple(rng.choice(places)), axis=(0, 1))


def filled(
    images: torch.Tensor, regions: np.ndarray, fill: str, strengths: Sequence[float], rng: np.random.Generator
) -> torch.Tensor:
    """Put something else into a region of each image.

    Args:
        images: (n, 3, H, W) float32 in [0, 1].
        regions: (n, H, W) bool.
        fill: "inpaint": what its surroundings continue into (Telea's method, OpenCV); "mean": the mean colour of the rest of the
            image; "blur": the region out of a blurred image; "noise": Gaussian noise on top of it.
        strengths: how much of it, (s,) from 0 (nothing changes, to the bit) to 1.
        rng: of the noise.

    Returns:
        (s, n, 3, H, W) float32 in [0, 1]; outside of the regions the bits of `images`.

    Raises:
        BarlowError: an unknown fill.
    """
    if fill not in FILLS:
        raise BarlowError(f"A region cannot be filled with {fill!r}. Expected one of: {', '.join(FILLS)}.")
    pixels = images.numpy().transpose(0, 2, 3, 1)
    if not len(pixels):
        return images.new_zeros(len(strengths), *images.shape)
    other = np.stack([_fill(one, region, fill, rng) for one, region in zip(pixels, regions, strict=True)])
    change = np.where(regions[..., None], other - pixels, 0)
    mixed = [np.clip(pixels + strength * change, 0, 1) if strength else pixels for strength in strengths]
    return torch.from_numpy(np.stack(mixed).transpose(0, 1, 4, 2, 3).astype(np.float32))


def _fill(pixels: np.ndarray, region: np.ndarray, fill: str, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) float32 that is looked at within the region alone."""
    if fill == "noise":
        return np.asarray(pixels + rng.normal(0, NOISE, pixels.shape).astype(np.float32))
    rest = ~region
    if fill == "mean" or not rest.any():
        return np.broadcast_to(pixels[rest if rest.any() else region].mean(axis=0), pixels.shape)
    if fill == "blur":
        return np.asarray(cv2.GaussianBlur(pixels, (0, 0), pixels.shape[0] / BLUR))
    whole = np.rint(pixels * 255).astype(np.uint8)
    return np.asarray(cv2.inpaint(whole, region.astype(np.uint8), RADIUS, cv2.INPAINT_TELEA), dtype=np.float32) / 255
