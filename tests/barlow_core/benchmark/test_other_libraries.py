"""Datasets of Hugging Face and FiftyOne, as they are used here; the real libraries where they are installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pictures

from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError


class Image:
    """What `datasets` calls the type of a column of images."""


class Value:
    """And one of plain values."""


class ClassLabel:
    """And one of classes."""

    def __init__(self, names: list[str]):
        self.names = names


class HuggingFaceDataset:
    """A `datasets.Dataset`, as far as it is used."""

    def __init__(self, columns: dict[str, list[Any]], features: dict[str, Any]):
        self.columns, self.features = columns, features

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {name: values[index] for name, values in self.columns.items()}

    def select_columns(self, names: list[str]) -> HuggingFaceDataset:
        return HuggingFaceDataset({name: self.columns[name] for name in names}, {name: self.features[name] for name in names})

    def remove_columns(self, names: list[str]) -> HuggingFaceDataset:
        return self.select_columns([name for name in self.columns if name not in names])

    def to_pandas(self) -> pd.DataFrame:
        return pd.DataFrame(self.columns)


def pictures(n: int) -> list[Pictures.Image]:
    return [Pictures.new("RGB", (4, 3), (i, 0, 0)) for i in range(n)]


COLUMNS = {"label": [0, 1, 1], "pred": [0, 0, 1], "width": [4, 5, 6]}


def fake(columns: dict[str, list[Any]] = COLUMNS, **features: Any) -> HuggingFaceDataset:
    known = {"image": Image(), "label": ClassLabel(["cat", "dog"])} | features
    columns = {"image": pictures(3)} | columns
    return HuggingFaceDataset(columns, {name: known.get(name, Value()) for name in columns})


def real() -> Any:
    datasets = pytest.importorskip("datasets", reason="the extra huggingface is not installed")
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    features |= {"pred": datasets.Value("int64"), "width": datasets.Value("int64")}
    return datasets.Dataset.from_dict({"image": pictures(3)} | COLUMNS, features=datasets.Features(features))


@pytest.mark.parametrize("made", [fake, real])
def test_a_hugging_face_dataset(tmp_path: Path, made: Any) -> None:
    for _ in range(2):  # what is there already is used
        benchmark = Benchmark.from_hugging_face(made(), tmp_path / "images")
        assert benchmark.class_names == ["cat", "dog"]
        assert benchmark.labels.tolist() == [0, 1, 1]
        assert benchmark.failure.tolist() == [False, True, False]
        assert benchmark.attributes.to_dict("list") == {"width": [4, 5, 6]}
        assert [Pictures.open(path).getpixel((0, 0)) for path in benchmark.paths] == [(0, 0, 0), (1, 0, 0), (2, 0, 0)]
    scores = np.array([[0.5, 0.5], [0.25, 0.75], [0.9, 0.1]])
    scored = Benchmark.from_hugging_face(made(), tmp_path / "images", predictions=scores)
    assert scored.failure.tolist() == [False, False, True]
    assert scored.confidence is not None
    assert scored.confidence.tolist() == [0.5, 0.75, 0.9]


def test_columns_of_a_hugging_face_dataset_are_said(tmp_path: Path) -> None:
    two = fake({"thumbnail": pictures(3)} | COLUMNS | {"coarse": [0, 0, 0]}, thumbnail=Image(), coarse=ClassLabel(["animal"]))
    with pytest.raises(BarlowError, match=r"2 columns of images \(image, thumbnail\).*columns=\"filenames=COLUMN\""):
        Benchmark.from_hugging_face(two, tmp_path / "images")
    benchmark = Benchmark.from_hugging_face(
        two.remove_columns(["thumbnail"]), tmp_path / "images", columns="labels=coarse,predictions="
    )
    assert benchmark.class_names == ["animal"]
    assert benchmark.predictions is None
    assert next(iter(benchmark.attributes)) == "attribute_label", "a column of that name that is not the label"


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ({"train": None, "test": None}, r"2 splits \(train, test\).*dataset\['train'\]"),
        ([1, 2], "list has no features"),
        (HuggingFaceDataset({"text": ["a"]}, {"text": Value()}), "no column of images; its columns are text"),
        (
            fake({"label": [0, 1, 1]}, image=Image()).__class__(
                {"image": [None], "label": [0]}, {"image": Image(), "label": Value()}
            ),
            "it has no image",
        ),
    ],
)
def test_what_is_no_hugging_face_dataset_of_images(tmp_path: Path, dataset: Any, message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        Benchmark.from_hugging_face(dataset, tmp_path / "images")


# --- FiftyOne


class FiftyOneDataset:
    """A `fiftyone.Dataset`, as far as it is used: `values` reaches into labels, and gives None where there is none."""

    def __init__(self, samples: list[dict[str, Any]]):
        self.samples = samples

    def has_sample_field(self, name: str) -> bool:
        return any(name in sample for sample in self.samples)

    def values(self, field: str) -> list[Any]:
        name, _, inner = field.partition(".")
        found = [sample.get(name) for sample in self.samples]
        return [None if one is None else one.get(inner) for one in found] if inner else found


def samples(folder: Path, prediction: str = "predictions") -> list[dict[str, Any]]:
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i, (label, predicted) in enumerate([("cat", "cat"), ("dog", "cat"), ("dog", "dog")]):
        path = folder / ("a" if i else "b") / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        pictures(3)[i].save(path)
        rows.append(
            {"filepath": str(path), "ground_truth": {"label": label}, prediction: {"label": predicted, "confidence": i / 4}}
        )
    return rows


@pytest.mark.parametrize("field", ["predictions", "prediction", "mine"])
def test_a_fiftyone_dataset(tmp_path: Path, field: str) -> None:
    dataset = FiftyOneDataset(samples(tmp_path, field))
    benchmark = Benchmark.from_fiftyone(dataset, prediction_field="mine" if field == "mine" else None)
    assert benchmark.images_dir == tmp_path
    assert benchmark.names.tolist() == ["b/0.png", "a/1.png", "a/2.png"]
    assert benchmark.failure.tolist() == [False, True, False]
    assert benchmark.confidence is not None
    assert benchmark.confidence.tolist() == [0, 0.25, 0.5]


def test_a_fiftyone_dataset_that_lacks_something(tmp_path: Path) -> None:
    rows = samples(tmp_path)
    assert (
        Benchmark.from_fiftyone(
            FiftyOneDataset([{name: row[name] for name in ("filepath", "ground_truth")} for row in rows])
        ).predictions
        is None
    )
    with pytest.raises(BarlowError, match=r"no field 'truth'. Expected one of Classification labels. Say which: label_field="):
        Benchmark.from_fiftyone(FiftyOneDataset(rows), label_field="truth")
    with pytest.raises(BarlowError, match="has no samples"):
        Benchmark.from_fiftyone(FiftyOneDataset([]))
    with pytest.raises(BarlowError, match="row 1, .*1.png: prediction is empty"):
        Benchmark.from_fiftyone(FiftyOneDataset([rows[0], rows[1] | {"predictions": None}, rows[2]]))
    with pytest.raises(BarlowError, match="filename is absolute"):
        Benchmark.from_fiftyone(FiftyOneDataset(rows), tmp_path / "a")
