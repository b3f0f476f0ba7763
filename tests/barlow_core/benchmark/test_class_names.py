from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barlow_core.benchmark.class_names import encode, imagenet_classes, infer_class_names, read_class_names
from barlow_core.errors import BarlowError


def text(*values: str) -> pd.Series:
    return pd.Series(values, dtype="str")


def test_imagenet_names_are_torchvisions() -> None:
    from torchvision.models import ResNet50_Weights

    table = imagenet_classes()
    assert table["name"].to_list() == ResNet50_Weights.IMAGENET1K_V1.meta["categories"]
    assert table["index"].to_list() == list(range(1000))
    assert table["wnid"].is_monotonic_increasing
    assert table["wnid"].str.fullmatch(r"n\d{8}").all()
    assert table["wnid"].is_unique
    assert table["name"].is_unique
    known = {0: "n01440764", 134: "n02012849", 207: "n02099601", 517: "n03126707", 639: "n03710721", 999: "n15075141"}
    assert table["wnid"].loc[list(known)].to_dict() == known
    assert table["name"].loc[[134, 517, 638, 639]].to_list() == ["crane bird", "crane", "maillot", "maillot tank suit"]


def test_imagenet_is_found_by_name_and_by_wordnet_id() -> None:
    names, lookup = read_class_names("imagenet")
    indices, reasons = encode(text("n01440764", "tench", "crane", "crane bird", "Cardigan", "cardigan"), "label", names, lookup)
    assert indices.tolist() == [0, 0, 517, 134, 264, 474]
    assert reasons == {}


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("names.txt", "cat\n dog \r\nbig truck\n\n"),
        ("names", "\ufeffcat\ndog\nbig truck"),
        ("names.json", json.dumps(["cat", "dog", "big truck"])),
        ("names.json", json.dumps({"2": "big truck", "0": "cat", "1": "dog"})),
        ("names.json", json.dumps({"0": ["n1", "cat"], "1": ["n2", "dog"], "2": ["n3", "big truck"]})),
        ("names.csv", "Index, WNID, Name\n2,n3,big truck\n0,n1,cat\n1,n2,dog\n"),
        ("names.csv", "name\ncat\ndog\nbig truck\n"),
        ("names.csv", "cat\ndog\nbig truck\n"),
    ],
)
def test_names_files(tmp_path: Path, file: str, content: str) -> None:
    (tmp_path / file).write_text(content, encoding="utf-8")
    names, lookup = read_class_names(tmp_path / file)
    assert names == ["cat", "dog", "big truck"]
    assert [lookup[name] for name in names] == [0, 1, 2]
    if "n3" in content:
        assert lookup["n3"] == 2
    assert read_class_names(str(tmp_path / file))[0] == names


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("names.txt", "cat\ndog\ncat\n", "'cat' is the name of class 0 and of class 2"),
        ("names.txt", "cat\n\ndog\n", "class 1 has an empty name"),
        ("names.txt", "  \n", "holds no class names"),
        ("names.json", "{", "is not JSON"),
        ("names.json", "3", "holds no class names"),
        ("names.json", '{"0": "cat", "2": "dog"}', "does not number its 2 classes from 0 to 1"),
        ("names.csv", "index,name\n1,cat\n1,dog\n", "does not number its 2 classes"),
        ("names.csv", "a,b\n1,cat\n", r"columns \['a', 'b'\]"),
    ],
)
def test_bad_names_files(tmp_path: Path, file: str, content: str, message: str) -> None:
    (tmp_path / file).write_text(content)
    with pytest.raises(BarlowError, match=message) as error:
        read_class_names(tmp_path / file)
    assert file in str(error.value)


def test_missing_and_undecodable_names_file(tmp_path: Path) -> None:
    with pytest.raises(BarlowError, match="no such names file"):
        read_class_names(tmp_path / "names.txt")
    (tmp_path / "names.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(BarlowError, match="cannot be read as a names file"):
        read_class_names(tmp_path / "names.txt")


def test_inferred_names() -> None:
    assert infer_class_names({"label": text("dog", "cat", ""), "prediction": text("ant", "cat", "nan")})[0] == [
        "ant",
        "cat",
        "dog",
    ]
    assert infer_class_names({"label": text("1", "0"), "prediction": text("3.0", "NA")})[0] == ["0", "1", "2", "3"]
    assert infer_class_names({"label": pd.Series([2, 0])})[0] == ["0", "1", "2"]
    with pytest.raises(BarlowError, match=r"Each prediction is a number \(3\), each label a name \('cat'\)"):
        infer_class_names({"label": text("cat"), "prediction": text("3")})
    with pytest.raises(BarlowError, match="1000000 is used as the index"):
        infer_class_names({"label": text("1000000", "0")})


def test_names_win_over_indices_in_a_column_of_names() -> None:
    names, lookup = read_class_names(["1", "0", "7"])
    assert encode(text("0", "1", "7"), "label", names, lookup)[0].tolist() == [1, 0, 2]
    assert encode(pd.Series([0, 1, 2]), "label", names, lookup)[0].tolist() == [0, 1, 2]
    names, lookup = read_class_names(["cat", "dog"])
    assert encode(text("0", "1"), "label", names, lookup)[0].tolist() == [0, 1]
    assert encode(text("0.0", "1.0"), "label", names, lookup)[0].tolist() == [0, 1], "as pandas writes a column with gaps"
    indices, reasons = encode(text("0", "+1", "1.0", "01"), "label", names, lookup)
    assert indices.tolist() == [0, -1, -1, -1], "no canonical writing of a whole number"
    assert reasons[3] == "label '01' has no name: expected an index from 0 to 1"


def test_a_declared_class_may_be_called_none() -> None:
    names, lookup = read_class_names(["None", "cat"])
    assert encode(text("None", "cat"), "label", names, lookup)[0].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (text("cat", ""), "label is empty"),
        (text("cat", "NaN"), "label is 'NaN', a missing value"),
        (text("cat", "Dogg"), "label 'Dogg' has no name in the class names; did you mean 'dog'?"),
        (text("cat", "zebra"), "label 'zebra' is none of the 2 class names (cat, dog)"),
        (text("cat", "1"), "label '1' is none of the 2 class names (cat, dog)"),
        (text("1", "2"), "label '2' has no name: expected an index from 0 to 1"),
        (text("1", "-1"), "label '-1' has no name: expected an index from 0 to 1"),
        (text("1", "0.5"), "label '0.5' has no name: expected an index from 0 to 1"),
        (pd.Series([0, 99]), "label '99' has no name: expected an index from 0 to 1"),
        (pd.Series([0, np.nan]), "label is 'nan', a missing value"),
        (pd.Series([0, np.inf]), "label 'inf' has no name: expected an index from 0 to 1"),
    ],
)
def test_values_that_are_no_class(values: pd.Series, reason: str) -> None:
    names, lookup = read_class_names(["cat", "dog"])
    indices, reasons = encode(values, "label", names, lookup)
    assert indices[1] == -1
    assert reasons == {1: reason}


@given(
    st.lists(st.text(min_size=1), min_size=1, max_size=8, unique_by=str.strip).filter(lambda x: all(map(str.strip, x))), st.data()
)
def test_every_name_is_its_own_index(names: list[str], data: Any) -> None:
    names, lookup = read_class_names([name.replace("\0", "0") for name in names if name.isprintable()] + ["x" * 50])
    picked = data.draw(st.lists(st.sampled_from(range(len(names))), min_size=1))
    indices, reasons = encode(text(*[names[i] for i in picked]), "label", names, lookup)
    assert indices.tolist() == picked
    assert reasons == {}
