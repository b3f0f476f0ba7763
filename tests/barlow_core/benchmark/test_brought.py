"""Benchmarks as people really bring them: what the import makes of it, and what it says."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from barlow_core.benchmark import Benchmark
from barlow_core.benchmark.spelling import alike
from barlow_core.errors import BarlowError


def pictures(folder: Path, *names: str) -> Path:
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3), (i % 256, 0, 0)).save(folder / name)
    return folder


def table(path: Path, header: str, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def labelled(folder: Path, pairs: list[tuple[str, str]], **options: Any) -> Benchmark:
    """A benchmark of images 0.png, 1.png, … with these labels and predictions."""
    images = pictures(folder / "images", *[f"{i}.png" for i in range(len(pairs))])
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [("Filenames", "Labels", "Predictions"), *((f"{i}.png", *pair) for i, pair in enumerate(pairs))]
        )
    return Benchmark.from_csv(images, folder / "metadata.csv", **options)


def said(benchmark: Benchmark, *parts: str) -> bool:
    """Whether one of the notes holds all the parts."""
    return any(all(part in note for part in parts) for note in benchmark.notes)


# --- 1. names and indices


def test_zeros_before_a_number_make_it_a_name(tmp_path: Path) -> None:
    """Twelve of 24 images are wrong, and are not taken for right."""
    pairs = [(str(i % 8), str(i % 8) if i % 2 else f"00{i % 8}") for i in range(24)]
    benchmark = labelled(tmp_path, pairs)
    assert benchmark.failure.sum() == 12
    assert len(benchmark.class_names) == 12
    assert said(benchmark, "Classes are 12 names")
    assert said(benchmark, "'000' (0 labels, 3 predictions)", "12 images are wrong for nothing else (50.0 %)", "--join-classes")
    joined = labelled(tmp_path, pairs, join_classes=True)
    assert joined.failure.sum() == 0
    assert joined.class_names == [str(i) for i in range(8)]
    assert said(joined, "Joined: '000' into '0'")


@pytest.mark.parametrize(
    ("labels", "predictions", "classes", "kind"),
    [
        (["0", "7"], ["7", "7"], [str(i) for i in range(8)], "indices 0 to 7"),
        (["0", "2"], ["0.0", "1.0"], ["0", "1", "2"], "indices 0 to 2"),
        (["0", "2"], ["0", "1.0"], ["0", "1.0", "2"], "3 names"),
        (["7", "+7"], ["7", "7"], ["+7", "7"], "2 names"),
        (["7", "x"], ["7", "7"], ["7", "x"], "2 names"),
        (["٣", "3"], ["3", "3"], ["3", "٣"], "2 names"),
    ],
)
def test_a_column_is_indices_only_if_all_its_values_are(
    tmp_path: Path, labels: list[str], predictions: list[str], classes: list[str], kind: str
) -> None:
    benchmark = labelled(tmp_path, list(zip(labels, predictions, strict=True)))
    assert benchmark.class_names == classes
    assert said(benchmark, f"Classes are {kind}.")


def test_named_classes_are_said_by_column(tmp_path: Path) -> None:
    benchmark = labelled(tmp_path, [("cat", "0"), ("dog", "1")], class_names=["cat", "dog"])
    assert benchmark.failure.sum() == 0
    assert said(benchmark, "Labels are names and predictions are indices, of the 2 classes named.")
    with pytest.raises(BarlowError, match="line 2, 0.png: prediction '00' has no name: expected an index from 0 to 1"):
        labelled(tmp_path, [("cat", "00"), ("dog", "1")], class_names=["cat", "dog"])


# --- 2. classes that are written in more than one way


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cat", "Cat"),
        ("big truck", "big\u00a0truck"),
        ("big truck", "big  truck"),
        ("big truck", "big_truck"),
        ("big-truck", "big truck"),
        ("big_truck", "BigTruck"),
        ("café", unicodedata.normalize("NFD", "café")),
        ("straße", "STRASSE"),
        ("7", "007"),
        ("7", "7.0"),
    ],
)
def test_what_is_alike(one: str, other: str) -> None:
    assert alike(one) == alike(other)


@pytest.mark.parametrize(
    ("one", "other"), [("cat", "cats"), ("cafe", "café"), ("1-2", "12"), ("1 2", "12"), ("7", "-7"), ("-", "_")]
)
def test_what_is_not(one: str, other: str) -> None:
    assert alike(one) != alike(other)


def test_classes_that_differ_in_writing_are_said_and_can_be_joined(tmp_path: Path) -> None:
    pairs = [("cat", "cat")] * 5 + [("cat", "Cat")] * 2 + [("dog", "dog")] * 3 + [("dog", "zebra"), ("ant", "cat")]
    benchmark = labelled(tmp_path, pairs)
    assert benchmark.class_names == ["Cat", "ant", "cat", "dog", "zebra"]
    assert said(
        benchmark,
        "'Cat' (0 labels, 2 predictions) and 'cat' (7 labels, 6 predictions)",
        "2 images are wrong for nothing else (16.7 %)",
    )
    assert said(benchmark, "1 class is predicted and never a label: 'zebra' (1 image)")
    assert said(benchmark, "1 class is a label and never predicted: 'ant' (1 image)")
    joined = labelled(tmp_path, pairs, join_classes=True)
    assert joined.class_names == ["ant", "cat", "dog", "zebra"]
    assert joined.failure.sum() == 2
    assert said(joined, "Joined: 'Cat' into 'cat'.")
    assert not said(joined, "only in how they are written")


def test_it_is_an_error_where_it_makes_most_images_wrong(tmp_path: Path) -> None:
    pairs = [("cat", "Cat")] * 3 + [("dog", "dog")]
    with pytest.raises(
        BarlowError, match=r"'Cat' \(0 labels, 3 predictions\).*3 images are wrong .*--join-classes.*--classes"
    ) as error:
        labelled(tmp_path, pairs)
    assert "metadata.csv" in str(error.value)
    assert labelled(tmp_path, pairs, join_classes=True).failure.sum() == 0
    known = labelled(tmp_path, pairs, class_names=["cat", "Cat", "dog"])
    assert known.failure.sum() == 3, "who names the classes knows that they are different"


def test_labels_and_predictions_with_nothing_in_common_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BarlowError, match=r"no class in common. 1 class is predicted and never a label: 'tabby' \(3 images\)"):
        labelled(tmp_path, [("cat", "tabby")] * 3)
    assert labelled(tmp_path, [("cat", "tabby")] * 3, class_names=["cat", "tabby"]).failure.all()
    with pytest.raises(BarlowError, match="no class in common"):
        labelled(tmp_path, [("0", "281"), ("1", "282"), ("1", "283")])


def test_a_combining_accent_is_shown_as_what_it_is(tmp_path: Path) -> None:
    benchmark = labelled(tmp_path, [("café", "café"), ("café", unicodedata.normalize("NFD", "café")), ("dog", "dog")])
    assert said(benchmark, r"'cafe\u0301' (0 labels, 1 prediction) and 'café'")


def test_predictions_beside_folders_are_joined_to_the_folders(tmp_path: Path) -> None:
    tree = pictures(tmp_path / "tree", "big_truck/0.png", "big_truck/1.png", "cat/2.png")
    path = table(tmp_path / "p.csv", "Filenames,Predictions", "0.png,Big Truck", "1.png,cat", "2.png,cat")
    with pytest.raises(
        BarlowError, match=r"'Big Truck' has no name(.|\n)*'Big Truck' with 'big_truck'. Join them with --join-classes"
    ):
        Benchmark.from_folder(tree, predictions=path)
    joined = Benchmark.from_folder(tree, predictions=path, join_classes=True)
    assert joined.failure.tolist() == [False, True, False]
    assert said(joined, "Joined: 'Big Truck' with 'big_truck'.")


# --- 3. hidden folders, and folders without images


def test_hidden_folders_are_left_out_and_counted(tmp_path: Path) -> None:
    tree = pictures(tmp_path / "tree", "cat/1.png", "cat/.ipynb_checkpoints/8.png", "cat/sub/.cache/deep/9.png", "dog/2.png")
    pictures(tree, "__MACOSX/cat/1.png", ".thumbs/3.png")
    benchmark = Benchmark.from_folder(tree)
    assert benchmark.names.tolist() == ["cat/1.png", "dog/2.png"]
    assert benchmark.class_names == ["cat", "dog"]
    assert said(benchmark, "4 hidden folders with 4 images are left out", "cat/.ipynb_checkpoints", "cat/sub/.cache", "__MACOSX")
    with pytest.raises(BarlowError, match="4 predictions for 2 images(.|\n)*4 hidden folders"):
        Benchmark.from_folder(tree, predictions=np.zeros(4, int))


def test_an_empty_class_folder_is_said(tmp_path: Path) -> None:
    tree = pictures(tmp_path / "tree", "cat/1.png", "dog/2.png")
    (tree / "horse").mkdir()
    (tree / "zebra").mkdir()
    (tree / "zebra" / "notes.txt").write_text("none yet")
    benchmark = Benchmark.from_folder(tree)
    assert benchmark.class_names == ["cat", "dog", "horse", "zebra"]
    assert said(benchmark, "2 class folders without an image: 'horse', 'zebra'. A class all the same.")


# --- 4. to 6. filenames

DECOMPOSED = unicodedata.normalize("NFD", "café é")


def test_a_name_in_another_unicode_form_is_found(tmp_path: Path) -> None:
    images = pictures(tmp_path / "images", f"{DECOMPOSED}/{DECOMPOSED}.png", "b.png")
    composed = unicodedata.normalize("NFC", DECOMPOSED)
    path = table(tmp_path / "m.csv", "Filenames,Labels", f"{composed}/{composed}.png,cat", "b.png,dog")
    benchmark = Benchmark.from_csv(images, path)
    assert benchmark.names.tolist() == [f"{DECOMPOSED}/{DECOMPOSED}.png", "b.png"], "as the disk has it"
    assert said(benchmark, "1 filename written in another Unicode form than on the disk")
    assert benchmark.paths[0].is_file()
    # The other way round, and where both forms are there.
    other = pictures(tmp_path / "other", f"{composed}.png")
    assert len(Benchmark.from_csv(other, table(tmp_path / "m.csv", "Filenames,Labels", f"{DECOMPOSED}.png,cat"))) == 1
    pictures(other, f"{DECOMPOSED}.png")
    both = table(tmp_path / "m.csv", "Filenames,Labels", f"{DECOMPOSED}.png,cat", f"{composed}.png,dog")
    assert Benchmark.from_csv(other, both).names.tolist() == [f"{DECOMPOSED}.png", f"{composed}.png"]


def test_two_forms_of_a_name_that_is_neither_are_not_guessed(tmp_path: Path) -> None:
    """é with a dot below can be composed in several ways, so a third one may mean either file."""
    forms = ["\u1eb9\u0301", "e\u0323\u0301", "\u00e9\u0323"]
    assert len({unicodedata.normalize("NFC", form) for form in forms}) == 1
    images = pictures(tmp_path / "images", f"{forms[0]}.png", f"{forms[1]}.png")
    with pytest.raises(BarlowError, match="no such file"):
        Benchmark.from_csv(images, table(tmp_path / "m.csv", "Filenames,Labels", f"{forms[2]}.png,cat"))


def test_two_rows_for_one_file_in_two_forms_are_duplicates(tmp_path: Path) -> None:
    images = pictures(tmp_path / "images", f"{DECOMPOSED}.png")
    composed = unicodedata.normalize("NFC", DECOMPOSED)
    path = table(tmp_path / "m.csv", "Filenames,Labels", f"{DECOMPOSED}.png,cat", f"{composed}.png,cat")
    with pytest.raises(BarlowError, match="line 3, .* duplicate filename, already on line 2"):
        Benchmark.from_csv(images, path)


def test_predictions_find_folders_in_another_unicode_form(tmp_path: Path) -> None:
    tree = pictures(tmp_path / "tree", f"cat/{DECOMPOSED}.png", "cat/b.png", "dog/c.png")
    composed = unicodedata.normalize("NFC", DECOMPOSED)
    path = table(tmp_path / "p.csv", "Filenames,Predictions", f"{composed}.png,cat", "b.png,dog", "c.png,dog")
    assert Benchmark.from_folder(tree, predictions=path).failure.tolist() == [True, False, False]


@pytest.mark.parametrize(("separator", "encoding"), [(";", "utf-8"), ("\t", "utf-16"), (",", "utf-16")])
def test_what_spreadsheets_save(tmp_path: Path, separator: str, encoding: str) -> None:
    images = pictures(tmp_path / "images", "a.png", "b.png")
    rows = [
        ["Filenames", "Labels", "Predictions", "Confidence"],
        ["a.png", "Käfer", "Käfer", "0,75"],
        ["b.png", "cat", "Käfer", "1"],
    ]
    with (tmp_path / "m.csv").open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=separator).writerows(rows)
    benchmark = Benchmark.from_csv(images, tmp_path / "m.csv")
    assert benchmark.class_names == ["Käfer", "cat"]
    assert benchmark.confidence is not None
    assert benchmark.confidence.tolist() == [0.75, 1]
    assert said(benchmark, "decimal commas")
    assert said(benchmark, {";": "semicolons", "\t": "UTF-16, tabs", ",": "UTF-16"}[separator])


def test_absolute_paths_below_the_images(tmp_path: Path) -> None:
    images = pictures(tmp_path / "images", "a.png", "sub/b.png")
    (tmp_path / "link").symlink_to(images)
    rows = [f"{images}/a.png,cat", f"{tmp_path}/x/../images/sub/b.png,dog"]
    for folder in (images, tmp_path / "link"):
        benchmark = Benchmark.from_csv(folder, table(tmp_path / "m.csv", "Filenames,Labels", *rows))
        assert benchmark.names.tolist() == ["a.png", "sub/b.png"]
        assert said(benchmark, "2 filenames written as absolute")
    with pytest.raises(BarlowError, match="line 2, .*/images2/a.png: filename is absolute"):
        Benchmark.from_csv(images, table(tmp_path / "m.csv", "Filenames,Labels", f"{images}2/a.png,cat"))


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ("m.csv", ["data/images/a.png", "data/images/sub/b.png"]),
        ("data/m.csv", ["images/a.png", "./images/sub/b.png"]),
        ("data/tables/m.csv", ["../images/a.png", "../images/sub/b.png"]),
        ("data/images/sub/m.csv", ["../a.png", "b.png"]),
    ],
)
def test_paths_relative_to_the_table(tmp_path: Path, place: str, names: list[str]) -> None:
    images = pictures(tmp_path / "data" / "images", "a.png", "sub/b.png")
    path = table(tmp_path / place, "Filenames,Labels", *(f"{name},cat" for name in names))
    benchmark = Benchmark.from_csv(images, path)
    assert benchmark.names.tolist() == ["a.png", "sub/b.png"]
    assert said(benchmark, "written relative to the table's own folder")


def test_paths_below_the_images_come_first(tmp_path: Path) -> None:
    images = pictures(tmp_path / "images", "a.png", "images/a.png")
    benchmark = Benchmark.from_csv(images, table(tmp_path / "m.csv", "Filenames,Labels", "images/a.png,cat"))
    assert benchmark.names.tolist() == ["images/a.png"]
    assert not said(benchmark, "relative")
    with pytest.raises(BarlowError, match="leads out of the folder"):
        Benchmark.from_csv(images, table(tmp_path / "m.csv", "Filenames,Labels", "../other/a.png,cat"))


# --- 7. names of columns


@pytest.mark.parametrize(
    "header",
    [
        "image,y_true,y_pred,conf",
        "path,target,pred,score",
        "file,class,prediction,confidence",
        "FILE_NAME,Ground Truth,Predicted Label,Probability",
        "filename,label,preds,scores",
    ],
)
def test_columns_by_usual_names(tmp_path: Path, header: str) -> None:
    images = pictures(tmp_path / "images", "a.png", "b.png")
    benchmark = Benchmark.from_csv(images, table(tmp_path / "m.csv", header, "a.png,cat,cat,0.5", "b.png,dog,cat,0.25"))
    assert benchmark.failure.tolist() == [False, True]
    assert benchmark.confidence is not None
    assert benchmark.confidence.tolist() == [0.5, 0.25]
    assert list(benchmark.attributes) == []
    assert said(benchmark, "Columns: ", " from ")


def test_columns_that_may_be_either_are_asked_for(tmp_path: Path) -> None:
    images = pictures(tmp_path / "images", "a.png", "b.png")
    path = table(tmp_path / "m.csv", "image,target,class,score", "a.png,cat,7,0.5", "b.png,dog,7,0.5")
    with pytest.raises(BarlowError, match=r"no column Labels, and it may be 'target' or 'class'.*--columns labels=target"):
        Benchmark.from_csv(images, path)
    benchmark = Benchmark.from_csv(images, path, columns="labels=target")
    assert benchmark.class_names == ["cat", "dog"]
    assert benchmark.attributes.to_dict("list") == {"class": [7, 7], "score": [0.5, 0.5]}, (
        "without predictions a score is no confidence"
    )
    again = Benchmark.from_csv(
        images, path, columns={"Label": "target", "prediction": "class"}, class_names=[*"abcdefgh", "cat", "dog"]
    )
    assert again.predictions is not None
    assert again.predictions.tolist() == [7, 7]
    path = table(tmp_path / "m.csv", "image,label,pred,y_pred", "a.png,cat,cat,cat", "b.png,dog,cat,dog")
    with pytest.raises(BarlowError, match=r"may be 'pred' or 'y_pred'.*\(or predictions= for none\)"):
        Benchmark.from_csv(images, path)
    assert Benchmark.from_csv(images, path, columns="predictions=").predictions is None
    assert Benchmark.from_csv(images, path, columns="predictions=y_pred").failure.sum() == 0


def test_our_own_names_come_before_usual_ones(tmp_path: Path) -> None:
    images = pictures(tmp_path / "images", "a.png")
    path = table(tmp_path / "m.csv", "Filenames,Labels,class,image,score,conf", "a.png,cat,mammal,9,7,x")
    benchmark = Benchmark.from_csv(images, path)
    assert benchmark.class_names == ["cat"]
    assert benchmark.attributes.to_dict("list") == {"class": ["mammal"], "image": [9], "score": [7], "conf": ["x"]}


def test_a_score_is_a_confidence_only_where_it_can_be_one(tmp_path: Path) -> None:
    images = pictures(tmp_path / "images", "a.png")
    high = Benchmark.from_csv(images, table(tmp_path / "m.csv", "image,label,pred,score", "a.png,cat,cat,7.5"))
    assert high.confidence is None
    assert high.attributes["score"].tolist() == [7.5]
    two = Benchmark.from_csv(images, table(tmp_path / "m.csv", "image,label,pred,score,conf", "a.png,cat,cat,0.5,0.25"))
    assert two.confidence is None
    assert said(two, "Confidence may be 'score' or 'conf'", "--columns confidence=score")
    with pytest.raises(BarlowError, match="confidence '7.5' is not a number"):
        Benchmark.from_csv(images, table(tmp_path / "m.csv", "image,label,pred,Confidence", "a.png,cat,cat,7.5"))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("age=x", "'age' is not something that a column can hold. Expected some of filenames, labels"),
        ("labels=x", r"has no column 'x'; its columns are 'Filenames', 'Labels'"),
        ("labels=Filenames,filenames=Filenames", "one column is said to be two things"),
        ("labels", "is not a mapping"),
        ("scores=p_*", r"'p_\*' fits 0 columns of scores"),
    ],
)
def test_columns_that_cannot_be(tmp_path: Path, columns: str, message: str) -> None:
    images = pictures(tmp_path / "images", "a.png")
    with pytest.raises(BarlowError, match=message):
        Benchmark.from_csv(images, table(tmp_path / "m.csv", "Filenames,Labels", "a.png,cat"), columns=columns)


# --- 8. missing values


def test_classes_that_are_called_na(tmp_path: Path) -> None:
    pairs = [("NA", "NA"), ("None", "null"), ("nan", "nan"), ("null", "None")]
    with pytest.raises(
        BarlowError, match=r"label is 'NA', a missing value(.|\n)*Where 'NA' or .* is the name of a class.*--missing \"\""
    ):
        labelled(tmp_path, pairs)
    benchmark = labelled(tmp_path, pairs, missing=[])
    assert benchmark.class_names == ["NA", "None", "nan", "null"]
    assert benchmark.failure.tolist() == [False, True, False, True]
    with pytest.raises(BarlowError, match="line 2, 0.png: label is 'x', a missing value"):
        labelled(tmp_path, [("x", "NA"), ("NA", "NA")], missing=["x"])
    with pytest.raises(BarlowError, match="prediction is empty"):
        labelled(tmp_path, [("NA", ""), ("NA", "NA")], missing=[])


# --- 9. scores, other formats, other libraries

SCORES = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.5, 0.3]])
LOGITS = np.array([[2.0, -1.0, 0.0], [0.0, 1.0, 5.0], [1.0, 1.0, -3.0]])


def softmax(scores: np.ndarray) -> np.ndarray:
    weights = np.exp(scores)
    return weights / weights.sum(axis=1, keepdims=True)


def scored(folder: Path, scores: np.ndarray, names: list[str], labels: tuple[str, ...], **more: list[Any]) -> pd.DataFrame:
    pictures(folder / "images", "a.png", "b.png", "c.png")
    frame = pd.DataFrame({"Filenames": ["a.png", "b.png", "c.png"], "Labels": labels} | more)
    return pd.concat([frame, pd.DataFrame(scores, columns=names)], axis=1)


def save(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
@pytest.mark.parametrize(
    "names", [["ant", "cat", "dog"], ["prob_ant", "prob_cat", "prob_dog"], ["logit.ant", "logit.cat", "logit.dog"]]
)
def test_a_column_a_class_gives_prediction_and_confidence(tmp_path: Path, names: list[str], suffix: str) -> None:
    for scores in (SCORES, LOGITS):
        frame = scored(tmp_path, scores, names, ("ant", "cat", "dog"), width=[1, 2, 3])
        benchmark = Benchmark.from_csv(tmp_path / "images", save(frame, tmp_path / f"m{suffix}"))
        assert benchmark.predictions is not None
        assert benchmark.confidence is not None
        assert benchmark.predictions.tolist() == scores.argmax(axis=1).tolist()
        probabilities = scores if scores is SCORES else softmax(scores)
        assert benchmark.confidence == pytest.approx(probabilities.max(axis=1), abs=1e-9)
        assert list(benchmark.attributes) == ["width"]
        assert said(benchmark, "the largest of 3 scores", "probabilities" if scores is SCORES else "count as logits")


def test_scores_of_a_class_that_no_label_has(tmp_path: Path) -> None:
    """Behind a prefix every column is a class, whether or not it is a label."""
    frame = scored(tmp_path, SCORES, ["prob_ant", "prob_cat", "prob_dog"], ("ant", "cat", "cat"))
    benchmark = Benchmark.from_frame(tmp_path / "images", frame)
    assert benchmark.class_names == ["ant", "cat", "dog"]
    assert benchmark.failure.tolist() == [False, True, False]


def test_scores_by_index(tmp_path: Path) -> None:
    frame = scored(tmp_path, SCORES[:, ::-1], ["score_2", "score_1", "score_0"], ("0", "2", "0"))
    benchmark = Benchmark.from_frame(tmp_path / "images", frame)
    assert benchmark.class_names == ["0", "1", "2"]
    assert benchmark.failure.tolist() == [False, False, True]
    names = frame.assign(Labels=["ant", "dog", "ant"])
    with pytest.raises(BarlowError, match=r"Each prediction is a number \(0\), each label a name .*Give a names file"):
        Benchmark.from_frame(tmp_path / "images", names)
    named = Benchmark.from_frame(tmp_path / "images", names, class_names=["ant", "cat", "dog"])
    assert named.failure.tolist() == [False, False, True]
    with pytest.raises(BarlowError, match="3 columns of scores, 'score_0' to 'score_2', and 4 classes"):
        Benchmark.from_frame(tmp_path / "images", names, class_names=["ant", "cat", "dog", "emu"])


def test_scores_of_other_names_are_said(tmp_path: Path) -> None:
    frame = scored(tmp_path, SCORES, ["s<ant>", "s<cat>", "s<dog>"], ("ant", "cat", "dog"))
    assert Benchmark.from_frame(tmp_path / "images", frame).predictions is None
    benchmark = Benchmark.from_frame(tmp_path / "images", frame, columns="scores=s<*>")
    assert benchmark.failure.tolist() == [False, True, True]


def test_columns_that_say_which_class_an_image_has_are_no_scores(tmp_path: Path) -> None:
    frame = scored(tmp_path, np.eye(3), ["ant", "cat", "dog"], ("ant", "cat", "dog"))
    benchmark = Benchmark.from_frame(tmp_path / "images", frame)
    assert benchmark.predictions is None
    assert list(benchmark.attributes) == ["ant", "cat", "dog"]


def test_scores_that_are_no_numbers_are_told_by_line(tmp_path: Path) -> None:
    pictures(tmp_path / "images", "a.png", "b.png", "c.png")
    path = table(tmp_path / "m.csv", "Filenames,Labels,cat,dog", "a.png,cat,0.9,0.1", "b.png,dog,high,0.1", "c.png,dog,,0.1")
    with pytest.raises(BarlowError) as error:
        Benchmark.from_csv(tmp_path / "images", path)
    assert "line 3, b.png: the score of 'cat' is 'high', which is not a number" in str(error.value)
    assert "line 4, c.png: prediction is 'nan', a missing value" in str(error.value)
    assert len(Benchmark.from_csv(tmp_path / "images", path, skip_bad=True)) == 1


def test_predictions_of_a_tree_in_every_format(tmp_path: Path) -> None:
    tree = pictures(tmp_path / "tree", "ant/a.png", "cat/b.png", "dog/c.png")
    expected = SCORES.argmax(axis=1)
    np.save(tmp_path / "scores.npy", SCORES)
    np.savez(tmp_path / "scores.npz", SCORES)
    np.savez(tmp_path / "named.npz", ids=np.arange(3), probs=SCORES)
    frame = scored(tmp_path, SCORES, ["p_ant", "p_cat", "p_dog"], ("ant", "cat", "dog")).drop(columns="Labels").iloc[::-1]
    frame = frame.assign(Filenames=["dog/c.png", "cat/b.png", "ant/a.png"])
    named = pd.DataFrame(
        {"image": frame["Filenames"], "pred": np.array(["ant", "cat", "dog"])[expected[::-1]], "conf": SCORES.max(axis=1)[::-1]}
    )
    lists = pd.DataFrame({"path": frame["Filenames"], "probs": SCORES[::-1].tolist()})
    given: list[Any] = [tmp_path / "scores.npy", tmp_path / "scores.npz", tmp_path / "named.npz", frame, named, lists]
    for brought in (frame, named, lists):
        given += [save(brought, tmp_path / f"p{len(given)}{suffix}") for suffix in (".parquet", ".jsonl")]
    given += [save(frame, tmp_path / "p.csv"), save(named, tmp_path / "q.csv")]
    for predictions in given:
        benchmark = Benchmark.from_folder(tree, predictions=predictions)
        assert benchmark.predictions is not None
        assert benchmark.predictions.tolist() == expected.tolist()
        assert benchmark.confidence == pytest.approx(SCORES.max(axis=1))


def test_archives_of_arrays_that_do_not_say_which(tmp_path: Path) -> None:
    tree = pictures(tmp_path / "tree", "ant/a.png", "cat/b.png")
    np.savez(tmp_path / "p.npz", one=np.zeros(2, int), two=np.zeros(2, int))
    with pytest.raises(BarlowError, match="holds the arrays 'one', 'two'. Expected one, or one called predictions"):
        Benchmark.from_folder(tree, predictions=tmp_path / "p.npz")
    (tmp_path / "p.npz").write_bytes(b"PK\x03\x04damaged")
    with pytest.raises(BarlowError, match="is damaged"):
        Benchmark.from_folder(tree, predictions=tmp_path / "p.npz")


def test_a_table_of_predictions_without_any(tmp_path: Path) -> None:
    tree = pictures(tmp_path / "tree", "ant/a.png", "cat/b.png")
    path = table(tmp_path / "p.csv", "Filenames,width", "a.png,1", "b.png,2")
    with pytest.raises(
        BarlowError, match="no column Predictions, and no column for each of the 2 classes; its other columns are 'width'"
    ):
        Benchmark.from_folder(tree, predictions=path)


def test_a_data_frame(tmp_path: Path) -> None:
    images = pictures(tmp_path / "images", "a.png", "b.png", "c.png")
    frame = pd.DataFrame(
        {
            "image": [str(images / "a.png"), "b.png", "c.png"],
            "y_true": pd.Categorical(["NA", "cat", "cat"]),
            "y_pred": ["NA", "NA", "cat"],
            "taken": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03"]),
        },
        index=[7, 7, 7],
    )
    benchmark = Benchmark.from_frame(images, frame)
    assert benchmark.class_names == ["NA", "cat"], "a data frame can say itself what is missing"
    assert benchmark.failure.tolist() == [False, True, False]
    assert benchmark.attributes["taken"].dt.day.tolist() == [1, 2, 3]
    assert benchmark.table["path"].tolist() == ["a.png", "b.png", "c.png"]
    with pytest.raises(BarlowError, match="row 1, b.png: prediction is empty"):
        Benchmark.from_frame(images, frame.assign(y_pred=["NA", None, "cat"]))
    with pytest.raises(BarlowError, match="row 2, c.png: label is empty"):
        Benchmark.from_frame(images, frame.assign(y_true=[0.0, 1.0, np.nan], y_pred=[0, 1, 1]))


def test_json_lines_of_predictions(tmp_path: Path) -> None:
    images = pictures(tmp_path / "images", "a.png", "b.png")
    lines = [
        {"filename": "a.png", "label": 1, "prediction": 1},
        {"filename": "b.png", "label": 0, "prediction": 1, "note": {"x": [1]}},
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))
    benchmark = Benchmark.from_csv(images, tmp_path / "m.jsonl")
    assert benchmark.failure.tolist() == [False, True]
    assert said(benchmark, "Classes are indices 0 to 1.")
    assert benchmark.attributes["note"].tolist()[1] == '{"x": [1]}'


# --- and: checks of image files


def broken_files(folder: Path) -> list[str]:
    """One file of every kind that cannot be used."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    pictures(folder, "good.png")
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("no image")
    (folder / "head.png").write_bytes(buffer.getvalue()[:20])
    (folder / "cut.png").write_bytes(buffer.getvalue()[:3000])
    (folder / "large.ppm").write_bytes(b"P6 30000 30000 255\n")
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(folder / "nan.tif")
    return ["good.png", "empty.png", "text.png", "head.png", "cut.png", "large.ppm", "nan.tif", "missing.png"]


def test_header_finds_what_full_finds_or_says_what_it_leaves(tmp_path: Path) -> None:
    names = broken_files(tmp_path / "images")
    path = table(tmp_path / "m.csv", "Filenames,Labels", *(f"{name},cat" for name in names))
    full = Benchmark.from_csv(tmp_path / "images", path, skip_bad=True)
    header = Benchmark.from_csv(tmp_path / "images", path, skip_bad=True, check="header")
    assert set(full.skipped["file"]) == set(names) - {"good.png"}
    left = set(full.skipped["file"]) - set(header.skipped["file"])
    assert left == {"cut.png", "nan.tif"}
    assert said(header, "Only the heads", "cut off or damaged", "values without a known scale", "check full")
    both = full.skipped.merge(header.skipped, on="file")
    assert (both["reason_x"] == both["reason_y"]).all()


def test_an_image_beyond_pillows_limit_is_one_row(tmp_path: Path) -> None:
    names = broken_files(tmp_path / "images")
    path = table(tmp_path / "m.csv", "Filenames,Labels", *(f"{name},cat" for name in names))
    for check in ("full", "header"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            benchmark = Benchmark.from_csv(tmp_path / "images", path, skip_bad=True, check=check)  # type: ignore[arg-type]
        (reason,) = benchmark.skipped.loc[benchmark.skipped["file"] == "large.ppm", "reason"]
        assert (
            reason
            == "is too large to be decoded safely: 900,000,000 pixels, where Pillow's limit is 178,956,970; make it smaller"
        )


def test_an_image_below_pillows_limit_gives_no_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures(tmp_path / "images", "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # of 12 pixels: Pillow warns, and refuses from 20 on
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(Benchmark.from_csv(images, table(tmp_path / "m.csv", "Filenames,Labels", "a.png,cat"))) == 1
    assert not caught
