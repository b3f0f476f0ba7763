from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from barlow_core.benchmark import Benchmark
from barlow_core.benchmark.class_names import imagenet_classes
from barlow_core.errors import BarlowError

Rows = list[tuple[str, ...]]
ROWS: Rows = [("a.png", "cat", "cat"), ("b.png", "dog", "cat"), ("c.png", "dog", "dog"), ("d.png", "ant", "dog")]


def picture(path: Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 3), (value, 0, 0)).save(path)


def bring(folder: Path, rows: Rows, header: tuple[str, ...] = ("Filenames", "Predictions", "Labels")) -> tuple[Path, Path]:
    """Make images/ with every file that is not there yet, and metadata.csv."""
    for i, row in enumerate(rows):
        if not (folder / "images" / row[0]).exists():
            picture(folder / "images" / row[0], i)
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return folder / "images", folder / "metadata.csv"


def tree(folder: Path, *names: str) -> Path:
    for i, name in enumerate(names):
        picture(folder / "tree" / name, i)
    return folder / "tree"


def test_from_csv(tmp_path: Path) -> None:
    benchmark = Benchmark.from_csv(*bring(tmp_path, ROWS))
    assert benchmark.class_names == ["ant", "cat", "dog"]
    assert benchmark.names.tolist() == ["a.png", "b.png", "c.png", "d.png"]
    assert benchmark.paths == [tmp_path / "images" / name for name in benchmark.names]
    assert benchmark.labels.tolist() == [1, 1, 2, 2]
    assert benchmark.labels.dtype == np.int64
    assert benchmark.predictions is not None
    assert benchmark.predictions.tolist() == [1, 2, 2, 0]
    assert benchmark.failure.tolist() == [False, True, False, True]
    assert len(benchmark) == 4
    assert repr(benchmark) == "Benchmark: 4 images, 3 classes, 2 failures (50.0 %)"
    assert benchmark.confidence is None
    assert benchmark.split is None
    assert len(benchmark.skipped) == 0
    assert list(benchmark.table) == ["path", "label", "label_name", "prediction", "prediction_name", "digest"]


def test_indices_with_and_without_names(tmp_path: Path) -> None:
    paths = bring(tmp_path, [("a.png", "2", "0"), ("b.png", "1", "1")])
    assert Benchmark.from_csv(*paths).class_names == ["0", "1", "2"]
    named = Benchmark.from_csv(*paths, class_names=["cat", "dog", "ant", "bee"])
    assert named.labels.tolist() == [0, 1]
    assert named.table["prediction_name"].to_list() == ["ant", "dog"]
    (tmp_path / "names.txt").write_text("cat\ndog\nant\n")
    assert Benchmark.from_csv(*paths, class_names=tmp_path / "names.txt").class_names == ["cat", "dog", "ant"]
    assert Benchmark.from_csv(*paths, class_names="imagenet").table["label_name"].to_list() == ["tench", "goldfish"]


def test_without_predictions_then_with(tmp_path: Path) -> None:
    benchmark = Benchmark.from_csv(*bring(tmp_path, [("a.png", "cat"), ("b.png", "dog")], header=("filename", "label")))
    assert benchmark.predictions is None
    assert repr(benchmark) == "Benchmark: 2 images, 2 classes, no predictions yet"
    with pytest.raises(BarlowError, match="run barlow predict"):
        _ = benchmark.failure
    predicted = benchmark.with_predictions(np.array([1, 1]), np.array([0.5, 1.0]))
    assert predicted.failure.tolist() == [True, False]
    assert predicted.table["confidence"].to_list() == [0.5, 1.0]
    assert benchmark.predictions is None, "the old benchmark is left as it was"
    assert predicted.images_digest == benchmark.images_digest
    assert predicted.outcome_digest != benchmark.outcome_digest
    assert repr(predicted) == "Benchmark: 2 images, 2 classes, 1 failure (50.0 %)"


def test_with_predictions_refuses_what_does_not_fit(tmp_path: Path) -> None:
    benchmark = Benchmark.from_csv(*bring(tmp_path, ROWS))
    cases: list[tuple[Any, Any, str]] = [
        ([0, 1], None, "2 predictions for 4 images"),
        ([0, 1, 2, 3], None, "d.png: prediction '3' has no name: expected an index from 0 to 2"),
        (np.zeros((4, 2)), None, "2 scores per image and there are 3 classes"),
        (np.zeros((4, 2, 2)), None, r"shape \(4, 2, 2\)"),
        (np.zeros(4, bool), None, "an array of bool"),
        ([0, 1, 2, 0], np.array([0, 0.5, 2, 1]), r"c.png: confidence 2.0 is outside \[0, 1\]"),
        ([0, 1, 2, 0], np.array([0.5]), r"Confidence has shape \(1,\) for 4 images"),
    ]
    for predictions, confidence, message in cases:
        with pytest.raises(BarlowError, match=message):
            benchmark.with_predictions(predictions, confidence)


def test_split_confidence_and_attributes(tmp_path: Path) -> None:
    header = ("Filenames", "Labels", "Predictions", "split", "CONFIDENCE", "width", "digest")
    rows: Rows = [("a.png", "cat", "cat", "val", "0.9", "640", "mine"), ("b.png", "dog", "cat", "test", "", "480", "mine")]
    benchmark = Benchmark.from_csv(*bring(tmp_path, rows, header))
    assert benchmark.split is not None
    assert benchmark.split.tolist() == ["val", "test"]
    assert benchmark.confidence is not None
    assert benchmark.confidence[0] == 0.9
    assert np.isnan(benchmark.confidence[1])
    assert benchmark.attributes.to_dict("list") == {"width": [640, 480], "attribute_digest": ["mine", "mine"]}
    assert list(benchmark.table)[-5:] == ["confidence", "split", "digest", "width", "attribute_digest"]


def test_table_opens_again(tmp_path: Path) -> None:
    header = ("Filenames", "Predictions", "Labels", "Split", "Confidence", "width", "camera")
    rows = [(*row, "val", "0.5", "7", "canon") for row in ROWS]
    benchmark = Benchmark.from_csv(*bring(tmp_path, rows, header))
    benchmark.table.to_parquet(tmp_path / "images.parquet")
    again = Benchmark.from_table(tmp_path / "images", pd.read_parquet(tmp_path / "images.parquet"), benchmark.class_names)
    pd.testing.assert_frame_equal(again.table, benchmark.table)
    assert again.images_digest == benchmark.images_digest
    assert again.outcome_digest == benchmark.outcome_digest
    assert again.paths == benchmark.paths
    with pytest.raises(BarlowError, match="prediction outside 0 to 1"):
        Benchmark.from_table(tmp_path, benchmark.table.assign(label=0), ["cat", "dog"])
    with pytest.raises(BarlowError, match="no column digest"):
        Benchmark.from_table(tmp_path, benchmark.table.drop(columns="digest"), benchmark.class_names)


def test_digests_follow_content_and_not_place(tmp_path: Path) -> None:
    images, metadata = bring(tmp_path, ROWS)
    benchmark = Benchmark.from_csv(images, metadata)
    shutil.copytree(images, tmp_path / "elsewhere" / "pictures")
    moved = Benchmark.from_csv(tmp_path / "elsewhere" / "pictures", metadata, check="header")
    assert moved.images_digest == benchmark.images_digest
    picture(images / "c.png", 99)
    changed = Benchmark.from_csv(images, metadata)
    assert changed.images_digest != benchmark.images_digest
    assert changed.outcome_digest == benchmark.outcome_digest
    relabelled = Benchmark.from_csv(*bring(tmp_path, [*ROWS[:3], ("d.png", "ant", "ant")]))
    assert relabelled.images_digest == changed.images_digest
    assert relabelled.outcome_digest != benchmark.outcome_digest


BAD: Rows = [
    ("a.png", "cat", "cat", "1"),
    ("missing.png", "cat", "cat", "1"),
    ("empty.png", "cat", "cat", "1"),
    ("a.png", "cat", "dog", "1"),
    ("../a.png", "cat", "cat", "1"),
    ("e.png", "", "cat", "1"),
    ("f.png", "cat", "NaN", "1"),
    ("g.png", "cat", "zebra", "1"),
    ("h.png", "cat", "dogg", "1.5"),
    ("cut.jpg", "cat", "dog", "1"),
    ("k.png", "cat"),
    ("l.png", "dog", "dog", "0.25"),
]
REASONS = {
    3: ("missing.png", "no such file"),
    4: ("empty.png", "is empty (0 bytes)"),
    5: ("a.png", "duplicate filename, already on line 2"),
    6: ("../a.png", "filename leads out of the folder of images"),
    7: ("e.png", "prediction is empty"),
    8: ("f.png", "label is 'NaN', a missing value"),
    9: ("g.png", "label 'zebra' is none of the 2 class names (cat, dog)"),
    10: ("h.png", "confidence '1.5' is not a number in [0, 1]; label 'dogg' has no name in the class names; did you mean 'dog'?"),
    11: ("cut.jpg", "is truncated or damaged"),
    12: ("k.png", "has 2 values, the header has 4; label is empty"),
}


def bad_benchmark(folder: Path) -> tuple[Path, Path]:
    images, metadata = bring(folder, BAD, header=("Filenames", "Predictions", "Labels", "Confidence"))
    (images / "missing.png").unlink()
    (images / "empty.png").write_bytes(b"")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(images / "cut.jpg")
    (images / "cut.jpg").write_bytes((images / "cut.jpg").read_bytes()[:1500])
    return images, metadata


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(BarlowError) as error:
        Benchmark.from_csv(*bad_benchmark(tmp_path), class_names=["cat", "dog"])
    message = str(error.value)
    assert "metadata.csv" in message
    assert "10 rows or images (of 12) cannot be used" in message
    for line, (file, reason) in REASONS.items():
        assert f"  line {line}, {file}: {reason}" in message
    assert "--skip-bad" in message


def test_bad_rows_can_be_skipped_and_are_listed(tmp_path: Path) -> None:
    benchmark = Benchmark.from_csv(*bad_benchmark(tmp_path), class_names=["cat", "dog"], skip_bad=True)
    assert benchmark.names.tolist() == ["a.png", "l.png"]
    assert benchmark.labels.tolist() == [0, 1]
    assert benchmark.confidence is not None
    assert benchmark.confidence.tolist() == [1, 0.25]
    assert repr(benchmark) == "Benchmark: 2 images, 2 classes, 0 failures (0.0 %), 10 skipped"
    listed = {row: (file, reason) for file, row, reason in benchmark.skipped.itertuples(index=False, name=None)}
    assert listed.keys() == REASONS.keys()
    for line, (file, reason) in REASONS.items():
        assert listed[line][0] == file
        assert listed[line][1].startswith(reason)
    sound = Benchmark.from_csv(*bring(tmp_path, [BAD[0], BAD[-1]], ("Filenames", "Predictions", "Labels", "Confidence")))
    assert sound.images_digest == benchmark.images_digest


def test_only_the_first_ten_problems_are_shown(tmp_path: Path) -> None:
    images, metadata = bring(tmp_path, [(f"{i}.png", "cat", "cat") for i in range(25)])
    for path in images.iterdir():
        path.unlink()
    for skip_bad in (False, True):
        with pytest.raises(BarlowError, match=r"25 rows or images \(of 25\)(.|\n)*… and 15 more") as error:
            Benchmark.from_csv(images, metadata, skip_bad=skip_bad)
        assert str(error.value).count("no such file") == 10
        assert "--skip-bad" not in str(error.value), "nothing would be left"


def test_the_header_check_lets_a_truncated_image_pass(tmp_path: Path) -> None:
    images, metadata = bring(tmp_path, ROWS)
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    noise.save(images / "a.png")
    (images / "a.png").write_bytes((images / "a.png").read_bytes()[:3000])
    assert len(Benchmark.from_csv(images, metadata, check="header")) == 4
    with pytest.raises(BarlowError, match="line 2, a.png: is truncated"):
        Benchmark.from_csv(images, metadata)


def test_whole_file_problems_raise_also_with_skip_bad(tmp_path: Path) -> None:
    images, metadata = bring(tmp_path, [("a.png", "cat", "cat")], header=("what", "p", "l"))
    with pytest.raises(BarlowError, match="no column Filenames"):
        Benchmark.from_csv(images, metadata, skip_bad=True)
    with pytest.raises(BarlowError, match="no such folder"):
        Benchmark.from_csv(tmp_path / "nowhere", metadata, skip_bad=True)


# --- class-per-folder trees


def test_from_folder_lists_as_image_folder_does(tmp_path: Path) -> None:
    from torchvision.datasets import ImageFolder

    names = ["a-b/1.png", "a/z.png", "a/sub/1.png", "a/sub-x/2.PNG", "a/B.jpg", "b/10.png", "b/9.png"]
    folder = tree(tmp_path, *names)
    (folder / "a" / "notes.txt").write_text("no image")
    (folder / "a" / "._z.png").write_bytes(b"left by a Mac")
    (folder / ".hidden").mkdir()
    benchmark = Benchmark.from_folder(folder)
    (folder / "a" / "._z.png").unlink()
    (folder / ".hidden").rmdir()
    peer = ImageFolder(folder)
    assert benchmark.paths == [Path(path) for path, _ in peer.samples]
    assert benchmark.labels.tolist() == peer.targets
    assert benchmark.class_names == peer.classes == ["a", "a-b", "b"]
    assert benchmark.predictions is None


def test_folder_with_predictions_as_array_and_npy(tmp_path: Path) -> None:
    folder = tree(tmp_path, "cat/1.png", "cat/2.png", "dog/1.png")
    for predictions in (
        np.array([0, 1, 1]),
        [0, 1, 1],
        np.array([0.0, 1.0, 1.0]),
        ["cat", "dog", "dog"],
        np.array([[0], [1], [1]]),
    ):
        np.save(tmp_path / "p.npy", np.asarray(predictions))
        for given in (predictions, tmp_path / "p.npy", str(tmp_path / "p.npy")):
            benchmark = Benchmark.from_folder(folder, predictions=given)
            assert benchmark.failure.tolist() == [False, True, False]
            assert benchmark.confidence is None


def test_folder_with_scores(tmp_path: Path) -> None:
    folder = tree(tmp_path, "cat/1.png", "cat/2.png", "dog/1.png")
    logits = np.array([[2.0, -1], [0, 5], [1, 1]])
    benchmark = Benchmark.from_folder(folder, predictions=logits)
    assert benchmark.predictions is not None
    assert benchmark.predictions.tolist() == [0, 1, 0], "the first of equal scores"
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert benchmark.confidence == pytest.approx(softmax.max(axis=1), abs=1e-12)
    assert any("not probabilities, so they count as logits" in note for note in benchmark.notes)
    confident = Benchmark.from_folder(folder, predictions=softmax.astype(np.float16))
    assert confident.confidence is not None
    assert confident.confidence == pytest.approx([0.952574, 0.993307, 0.5], abs=1e-3)


def test_predictions_of_another_length_raise_also_with_skip_bad(tmp_path: Path) -> None:
    folder = tree(tmp_path, "cat/1.png", "cat/2.png", "dog/1.png")
    for predictions in (np.zeros(2, int), np.zeros((4, 2))):
        with pytest.raises(BarlowError, match=f"{len(predictions)} predictions for 3 images"):
            Benchmark.from_folder(folder, predictions=predictions, skip_bad=True)
    with pytest.raises(BarlowError, match="5 scores per image and there are 2 classes"):
        Benchmark.from_folder(folder, predictions=np.zeros((3, 5)))


def test_bad_values_among_predictions(tmp_path: Path) -> None:
    folder = tree(tmp_path, "cat/1.png", "cat/2.png", "dog/1.png")
    cases: list[tuple[Any, str]] = [
        (np.array([0, 7, 1]), "cat/2.png: prediction '7' has no name"),
        (np.array([0, np.nan, 1]), "cat/2.png: prediction is 'nan'"),
        (np.array([[1, 0], [np.nan, 1], [0, 1]]), "cat/2.png: prediction is 'nan'"),
    ]
    for predictions, message in cases:
        with pytest.raises(BarlowError, match=message):
            Benchmark.from_folder(folder, predictions=predictions)
        kept = Benchmark.from_folder(folder, predictions=predictions, skip_bad=True)
        assert kept.failure.tolist() == [False, False]


def test_files_that_are_no_arrays(tmp_path: Path) -> None:
    folder = tree(tmp_path, "cat/1.png")
    with pytest.raises(BarlowError, match="no such file"):
        Benchmark.from_folder(folder, predictions=tmp_path / "p.npy")
    (tmp_path / "p.npy").write_bytes(b"not numpy")
    with pytest.raises(BarlowError, match=r"not a plain \.npy array"):
        Benchmark.from_folder(folder, predictions=tmp_path / "p.npy")
    np.save(tmp_path / "p.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(BarlowError, match=r"not a plain \.npy array"):
        Benchmark.from_folder(folder, predictions=tmp_path / "p.npy")


def predictions_csv(folder: Path, *lines: str) -> Path:
    (folder / "predictions.csv").write_text("\n".join(lines) + "\n")
    return folder / "predictions.csv"


def test_folder_with_predictions_csv(tmp_path: Path) -> None:
    folder = tree(tmp_path, "cat/1.png", "cat/2.png", "dog/3.png", "dog/4.png")
    path = predictions_csv(
        tmp_path,
        "Filename,Prediction,Confidence,width",
        "4.png,cat,1,4",
        "cat/2.png,1,0.5,2",
        "cat/1.png,0,0,1",
        "3.png,1,0.25,3",
    )
    with pytest.raises(BarlowError, match="'1' is none of the 2 class names"):
        Benchmark.from_folder(folder, predictions=path)
    path.write_text(path.read_text().replace("4.png,cat", "4.png,0"))
    benchmark = Benchmark.from_folder(folder, predictions=path)
    assert benchmark.failure.tolist() == [False, True, False, True]
    assert benchmark.confidence is not None
    assert benchmark.confidence.tolist() == [0, 0.5, 0.25, 1]
    assert benchmark.attributes["width"].to_list() == [1, 2, 3, 4]


def test_problems_of_a_predictions_csv(tmp_path: Path) -> None:
    folder = tree(tmp_path, "cat/1.png", "cat/2.png", "cat/3.png", "dog/1.png", "dog/4.png", "dog/5.png")
    path = predictions_csv(
        tmp_path,
        "Filenames,Predictions,Labels,Confidence",
        "cat/1.png,cat,cat,1",
        "1.png,cat,cat,1",
        "elsewhere/9.png,cat,cat,1",
        "2.png,cat,dog,1",
        "3.png,cat,cat,7",
        "dog/5.png,dog,dog,1",
        "5.png,dog,dog,1",
        "dog/4.png,,dog,1",
    )
    benchmark = Benchmark.from_folder(folder, predictions=path, skip_bad=True)
    assert benchmark.names.tolist() == ["cat/1.png", "dog/5.png"]
    listed = {(row.file, row.reason) for row in benchmark.skipped.itertuples()}
    assert listed == {
        ("cat/2.png", "Labels says 'dog', the image's own label is another"),
        ("cat/3.png", "predictions.csv, line 6: confidence '7' is not a number in [0, 1]"),
        ("dog/1.png", "has no prediction in predictions.csv"),
        ("dog/4.png", "prediction is empty"),
        ("1.png", "names no image, or more than one: write its path"),
        ("elsewhere/9.png", "names no image, or more than one: write its path"),
        ("5.png", "names an image that has a prediction already"),
    }
    rows = benchmark.skipped.set_index("file")["row"]
    assert rows["1.png"] == 3
    assert rows["5.png"] == 8
    with pytest.raises(BarlowError, match=r"line 3, 1\.png: names no image"):
        Benchmark.from_folder(folder, predictions=path)


def test_imagenet_folders_get_imagenet_names(tmp_path: Path) -> None:
    folder = tree(tmp_path, "n01440764/a.JPEG", "n02123045/b.JPEG", "n02123045/c.JPEG")
    for class_names in (None, "imagenet"):
        benchmark = Benchmark.from_folder(folder, class_names=class_names, predictions=np.array([0, 281, 999]))
        assert benchmark.class_names == imagenet_classes()["name"].to_list()
        assert benchmark.labels.tolist() == [0, 281, 281]
        assert benchmark.table["label_name"].to_list() == ["tench", "tabby", "tabby"]
        assert benchmark.failure.tolist() == [False, False, True]


def test_indices_that_may_count_folders_or_imagenet_are_refused(tmp_path: Path) -> None:
    folder = tree(tmp_path, "n01440764/a.JPEG", "n02123045/b.JPEG")
    with pytest.raises(BarlowError, match="among the 2 folders or among ImageNet's 1,000 classes"):
        Benchmark.from_folder(folder, predictions=np.array([0, 1]))
    two = Benchmark.from_folder(folder, predictions=np.array([0, 1]), class_names=["tench", "tabby"])
    assert two.failure.tolist() == [False, False]
    assert two.class_names == ["tench", "tabby"]
    assert Benchmark.from_folder(folder, predictions=np.array([0, 1]), class_names="imagenet").failure.tolist() == [False, True]


def test_folders_called_by_numbers(tmp_path: Path) -> None:
    folder = tree(tmp_path, *[f"{i}/x{i}.png" for i in (0, 1, 2, 10)])
    with pytest.raises(BarlowError, match="whose order as text is another one"):
        Benchmark.from_folder(folder, predictions=np.array([0, 1, 2, 3]))
    as_text = Benchmark.from_folder(folder, predictions=["0", "1", "10", "2"])
    assert as_text.failure.sum() == 0
    named = Benchmark.from_folder(folder, predictions=np.array([0, 1, 10, 2]), class_names=[f"class {i}" for i in range(11)])
    assert named.failure.sum() == 0
    assert named.table["label_name"].to_list() == ["class 0", "class 1", "class 10", "class 2"]


def test_problems_of_trees(tmp_path: Path) -> None:
    (tmp_path / "tree" / "cat").mkdir(parents=True)
    with pytest.raises(BarlowError, match="1 folders and no image in any"):
        Benchmark.from_folder(tmp_path / "tree")
    folder = tree(tmp_path, "cat/1.png", "dog/2.png", "loose.png")
    with pytest.raises(BarlowError, match=r"loose\.png: lies in no class folder"):
        Benchmark.from_folder(folder)
    assert len(Benchmark.from_folder(folder, skip_bad=True)) == 2
    (folder / "loose.png").unlink()
    with pytest.raises(BarlowError, match="1 of 2 class folders have no name; folder 'dog' is none"):
        Benchmark.from_folder(folder, class_names=["cat", "horse", "truck"])
    (folder / "dog" / "2.png").write_text("no image")
    with pytest.raises(BarlowError, match=r"dog/2\.png: is not an image"):
        Benchmark.from_folder(folder)
