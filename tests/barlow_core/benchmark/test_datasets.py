from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import IterableDataset, Subset, TensorDataset
from torchvision.datasets import ImageFolder

from barlow_core.benchmark import Benchmark, datasets
from barlow_core.benchmark.images import open_image
from barlow_core.errors import BarlowError


class Pictures:
    """The smallest dataset: a list of (image, label)."""

    def __init__(self, items: list[Any]):
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        item = self.items[index]
        if isinstance(item, Exception):
            raise item
        return item


def shown(path: Path) -> list[Any]:
    return np.asarray(open_image(path)).tolist()


def test_tensors_and_pil_images_become_the_same_pixels(tmp_path: Path) -> None:
    floats = torch.tensor([[[0.0, 1.0]], [[0.2, 0.4]], [[0.6, 0.5]]])  # 3 x 1 x 2
    expected = [[[0, 51, 153], [255, 102, 128]]]
    levels = torch.tensor([[[0, 255]], [[51, 102]], [[153, 128]]], dtype=torch.uint8)
    pil = Image.fromarray(np.array(expected, np.uint8))
    grey = torch.full((1, 1, 2), 0.2)
    clear = np.zeros((4, 1, 2), np.uint8)
    items = [(floats, 0), (levels, torch.tensor(1)), (pil, np.int64(2)), (grey, 0), (clear, 1), (floats.double().numpy(), 2)]
    benchmark = Benchmark.from_dataset(Pictures(items), tmp_path / "out")
    assert benchmark.names.tolist() == [f"{i:05d}.png" for i in range(6)]
    assert benchmark.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert benchmark.class_names == ["0", "1", "2"]
    pixels = [shown(path) for path in benchmark.paths]
    assert pixels[0] == pixels[1] == pixels[2] == pixels[5] == expected
    assert pixels[3] == [[[51, 51, 51]] * 2]
    assert pixels[4] == [[[255, 255, 255]] * 2], "transparent is white"


def test_classes_of_the_dataset_and_predictions(tmp_path: Path) -> None:
    dataset: Any = TensorDataset(torch.rand(4, 3, 5, 5), torch.tensor([0, 1, 1, 0]))
    dataset.classes = ["7", "3"]
    benchmark = Benchmark.from_dataset(dataset, tmp_path, predictions=[0, 0, 1, 0])
    assert benchmark.class_names == ["7", "3"]
    assert benchmark.labels.tolist() == [0, 1, 1, 0], "integers are indices, also where names are digits"
    assert benchmark.failure.tolist() == [False, True, False, False]
    named = Benchmark.from_dataset(Pictures([(torch.rand(3, 2, 2), name) for name in ("dog", "cat")]), tmp_path / "named")
    assert named.class_names == ["cat", "dog"]
    assert named.labels.tolist() == [1, 0]


def test_an_interrupted_export_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset: Any = TensorDataset(torch.rand(6, 3, 5, 5), torch.arange(6))
    whole = Benchmark.from_dataset(dataset, tmp_path / "whole")
    saved: list[Path] = []
    replace = Path.replace

    def stop_at_the_fourth(self: Path, target: Path) -> Path:
        saved.append(target)
        if len(saved) == 4:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stop_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        Benchmark.from_dataset(dataset, tmp_path / "parts")
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["00000.png", "00001.png", "00002.png"]
    saved.clear()
    resumed = Benchmark.from_dataset(dataset, tmp_path / "parts")
    assert [path.name for path in saved] == ["00003.png", "00004.png", "00005.png"]
    assert resumed.images_digest == whole.images_digest


def test_two_datasets_never_mix(tmp_path: Path) -> None:
    first: Any = TensorDataset(torch.zeros(2, 3, 4, 4), torch.arange(2))
    second: Any = TensorDataset(torch.ones(2, 3, 4, 4), torch.arange(2))
    Benchmark.from_dataset(first, tmp_path)
    before = (tmp_path / "00000.png").read_bytes()
    with pytest.raises(BarlowError, match=r"00000\.png is there already and is not the image of dataset\[0\]"):
        Benchmark.from_dataset(second, tmp_path)
    assert (tmp_path / "00000.png").read_bytes() == before


def test_bad_items_are_reported_and_can_be_skipped(tmp_path: Path) -> None:
    sound = torch.rand(3, 4, 4)
    items: list[Any] = [
        (sound, 0),
        (sound * 4 - 2, 1),
        OSError("disk"),
        (torch.rand(4, 4), 0),
        (torch.ones(3, 4, 4).int(), 0),
        (sound, 1),
    ]
    with pytest.raises(BarlowError) as error:
        Benchmark.from_dataset(Pictures(items), tmp_path)
    message = str(error.value)
    assert "4 rows or images (of 6)" in message
    assert "00001.png: dataset[1]: BarlowError: the image is float32 from" in message
    assert "normalisation" in message
    assert "00002.png: dataset[2]: OSError: disk" in message
    assert "00003.png: dataset[3]: BarlowError: the image has shape (4, 4)" in message
    assert "the image is int32" in message
    assert "no such file" not in message
    benchmark = Benchmark.from_dataset(Pictures(items), tmp_path, predictions=[0, 0, 0, 0, 0, 0], skip_bad=True)
    assert benchmark.names.tolist() == ["00000.png", "00005.png"]
    assert benchmark.failure.tolist() == [False, True]
    assert len(benchmark.skipped) == 4


def test_what_is_no_dataset_with_a_length(tmp_path: Path) -> None:
    class Stream(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            return iter([])

    with pytest.raises(BarlowError, match="Stream has no length"):
        Benchmark.from_dataset(Stream(), tmp_path)
    with pytest.raises(BarlowError, match="holds no images"):
        Benchmark.from_dataset(Pictures([]), tmp_path)


@pytest.fixture
def image_folder(tmp_path: Path) -> ImageFolder:
    for i, name in enumerate(["cat/1.png", "cat/2.png", "dog/1.png"]):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (i, 0, 0)).save(tmp_path / "tree" / name)
    return ImageFolder(tmp_path / "tree")


def test_image_folder_is_used_in_place(image_folder: ImageFolder, tmp_path: Path) -> None:
    for images_dir in (tmp_path / "tree", tmp_path / "unused"):
        benchmark = Benchmark.from_dataset(image_folder, images_dir, predictions=[0, 1, 1])
        assert benchmark.images_dir == tmp_path / "tree"
        assert benchmark.names.tolist() == ["cat/1.png", "cat/2.png", "dog/1.png"]
        assert benchmark.class_names == ["cat", "dog"]
        assert benchmark.failure.tolist() == [False, True, False]
    assert not (tmp_path / "unused").exists()
    assert benchmark.images_digest == Benchmark.from_folder(tmp_path / "tree").images_digest
    outer = Benchmark.from_dataset(image_folder, tmp_path)
    assert outer.names[0] == "tree/cat/1.png"


def test_a_subset_of_image_folder_is_written(image_folder: ImageFolder, tmp_path: Path) -> None:
    benchmark = Benchmark.from_dataset(Subset(image_folder, [2, 0]), tmp_path / "out", class_names=["cat", "dog"])
    assert benchmark.labels.tolist() == [1, 0]
    assert [shown(path)[0][0] for path in benchmark.paths] == [[2, 0, 0], [0, 0, 0]]


def test_repeated_samples_are_a_problem(image_folder: ImageFolder, tmp_path: Path) -> None:
    image_folder.samples.append(image_folder.samples[0])
    with pytest.raises(BarlowError, match=r"cat/1\.png: duplicate filename"):
        Benchmark.from_dataset(image_folder, tmp_path / "tree")
    assert len(Benchmark.from_dataset(image_folder, tmp_path / "tree", skip_bad=True)) == 3


def test_class_names_of_wordnet_ids() -> None:
    class Birds:
        classes = ("n02012849", "n01440764")

    assert datasets.class_names(Birds()) == ["crane bird", "tench"]
    assert datasets.class_names(Pictures([])) is None
