from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from barlow_core.benchmark.batches import load_batches, spans
from barlow_core.errors import BarlowError, ImageError


@pytest.fixture
def grey(tmp_path: Path) -> list[Path]:
    """Image i is grey of value i."""
    paths = [tmp_path / f"{i:02d}.png" for i in range(40)]
    for i, path in enumerate(paths):
        Image.new("RGB", (4, 4), (i, i, i)).save(path)
    return paths


def preprocess(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float()


def test_no_batch_crosses_the_border_of_a_shard() -> None:
    assert spans([(0, 10), (20, 25)], 4) == [(0, 4), (4, 8), (8, 10), (20, 24), (24, 25)]
    with pytest.raises(BarlowError, match="batch_size is 0"):
        spans([(0, 10)], 0)


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_batches_come_in_order_whoever_decodes_them(grey: list[Path], workers: int) -> None:
    batches = spans([(4, 16), (20, 40)], 5)
    found = list(load_batches(grey, batches, preprocess, workers=workers))
    assert [span for span, _ in found] == batches
    for (start, stop), images in found:
        assert images.shape == (stop - start, 3, 4, 4)
        assert images[:, 0, 0, 0].tolist() == list(range(start, stop))


def test_only_a_few_batches_are_held_in_memory(grey: list[Path]) -> None:
    decoded = 0

    def counting(picture: Image.Image) -> Tensor:
        nonlocal decoded
        decoded += 1
        return preprocess(picture)

    batches = load_batches(grey, spans([(0, 40)], 1), counting, workers=2)
    next(batches)
    threading.Event().wait(0.2)
    assert decoded <= 3 + 1
    batches.close()


def test_an_unreadable_image_is_named_with_what_to_do(grey: list[Path]) -> None:
    grey[7].write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"07\.png.*--skip-bad"):
        list(load_batches(grey, spans([(0, 40)], 5), preprocess, workers=2))
    grey[3].unlink()
    with pytest.raises(ImageError, match=r"03\.png"):
        list(load_batches(grey, spans([(0, 40)], 5), preprocess, workers=2))
    assert threading.active_count() < 10
