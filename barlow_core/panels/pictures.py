"""Pixels for people: heatmaps, their overlay on images, and image files of a size that can be looked at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from PIL import Image, ImageFile

from barlow_core.directions import Direction

if TYPE_CHECKING:
    import torch

# Inferno is perceptually uniform, and still ordered from dark to light for colour-blind readers and in grey
# print.
COLORMAP, HEAT = "inferno", 0.45
SMALL = 128  # Pixels; sides below this are enlarged for looking.
LOOKING_SIDE = 160
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, what Pillow's mode L uses


def heatmaps(feature_maps: np.ndarray | torch.Tensor, size: int | tuple[int, int]) -> np.ndarray:
    """Where each image activates a feature (paper, section 4 and appendix B).

    Args:
        feature_maps: (n, h, w), the maps of one feature, or of a direction (`weighted_maps`), before global average pooling.
        size: (H, W) of the result, or one number for a square.

    Returns:
        (n, H, W) float32 in [0, 1]: each map scaled to [0, 1] by its own minimum and maximum, then resized
        bilinearly. A map that is the same everywhere points nowhere and gives zeros.
    """
    import torch  # Looking at panels does without it.

    maps = torch.as_tensor(feature_maps).detach().to("cpu", torch.float32)
    if not maps.numel():
        height, width = (size, size) if isinstance(size, int) else size
        return np.zeros((len(maps), height, width), dtype=np.float32)
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    scaled = torch.where(high > low, (maps - low) / (high - low), 0.0)
    resized = torch.nn.functional.interpolate(scaled[:, None], size=size, mode="bilinear", align_corners=False)
    return resized[:, 0].clamp(0.0, 1.0).numpy()


def weighted_maps(feature_maps: torch.Tensor, direction: Direction) -> torch.Tensor:
    """The map of a direction: the weighted sum of the maps of its features, whose mean is the weighted sum of their values.

    Args:
        feature_maps: (n, D, h, w).

    Returns:
        (n, h, w), on the same device.
    """
    weights = feature_maps.new_tensor(direction.weights)
    return (feature_maps[:, list(direction.features)] * weights[:, None, None]).sum(dim=1)


def overlay(images: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay heatmaps over images: lightness shows the image, colour the heat (violet is 0, yellow is 1).

    The image is turned grey first, since an orange horse would pass for heat; its colours are seen in section
    A.

    Args:
        images: (n, H, W, 3) uint8.
        heat: (n, H, W) in [0, 1], from `heatmaps`.

    Returns:
        (n, H, W, 3) uint8.
    """
    grey = (images.astype(np.float32) @ _LUMA)[..., None] / 255
    colours = matplotlib.colormaps[COLORMAP](heat)[..., :3]
    return np.rint(((1 - HEAT) * grey + HEAT * colours) * 255).astype(np.uint8)


def to_pixels(images: torch.Tensor) -> np.ndarray:
    """(n, 3, H, W) in [0, 1] as (n, H, W, 3) uint8, rounded to the nearest of the 256 levels."""
    return (images.detach().cpu() * 255).round().byte().permute(0, 2, 3, 1).numpy()


def looking_size(side: int) -> int:
    """The side at which an image of `side` pixels is shown: small ones enlarged a whole number of times."""
    return side if side >= SMALL else side * -(-LOOKING_SIDE // side)


def enlarge(images: np.ndarray, side: int) -> np.ndarray:
    """(n, H, W, 3) uint8 at `side` x `side`, bicubic: people see more in blur than in blocks."""
    if images.shape[1:3] == (side, side):
        return images
    sized = [np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)) for image in images]
    return np.stack(sized) if sized else np.empty((0, side, side, 3), dtype=np.uint8)


def suffix(side: int) -> str:
    """The file format for images of the extractor's `side`: lossless where small, JPEG for photographs."""
    return ".png" if side < SMALL else ".jpg"


def write_picture(path: Path, pixels: np.ndarray) -> None:
    """Write (H, W, 3) or (H, W) uint8 and make sure it is on disk; the same pixels give the same bytes."""
    # Full colour resolution in JPEG: attacks paint fine coloured structure, which chroma subsampling would
    # smear. Progressive: over a slow connection it is there at once, and becomes sharp.
    # Pillow writes a progressive file in one piece, into memory that it takes for as many bytes as there are pixels: too few for noise.
    ImageFile.MAXBLOCK = max(ImageFile.MAXBLOCK, 4 * pixels.size)
    options = {"quality": 92, "subsampling": 0, "progressive": True} if path.suffix == ".jpg" else {}
    with path.open("wb") as file:
        Image.fromarray(pixels).save(file, format="JPEG" if path.suffix == ".jpg" else "PNG", **options)
        file.flush()
        os.fsync(file.fileno())
