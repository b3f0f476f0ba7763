from __future__ import annotations

import json
import pickle
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from barlow_core.errors import BarlowError
from study.report import Figure
from study.report.charts import MOST_POINTS, binned, cloud, staircase, thinned
from study.report.elements import csv_bytes
from study.report.wording import decimal, how, inline, interval, markdown, p_text, p_value, share, with_interval
from study.statistics.estimates import Estimate


def make(**changes: object) -> Figure:
    points = pd.DataFrame({"item": ["a", "b", "c"], "x": [1.0, 2.0, np.nan], "y": [1.0, 2.0, 3.0]})
    content = cloud(points, x="x", y="y", x_title="X", y_title="Y", opens="item")
    given = {
        "id": "cloud",
        "title": "A cloud",
        "caption": "",
        "computed": "",
        "text": "",
        "data": points,
        "content": content,
        "opens": "item",
    }
    return Figure(**(given | changes))  # type: ignore[arg-type]


def test_a_figure_is_plain_data_and_draws_itself() -> None:
    figure = pickle.loads(pickle.dumps(make(subtitle="3 answers")))
    assert json.loads(json.dumps(figure.spec(), allow_nan=False))["title"]["subtitle"] == ["3 answers"]
    assert figure.svg().startswith(b"<svg")
    with Image.open(BytesIO(figure.png(scale=1))) as picture:
        assert picture.format == "PNG"
        assert picture.size[0] > 500
        assert picture.getpixel((2, 2))[:3] == (255, 255, 255), "on white, so that it stands in any document"
    assert "background" not in figure.spec(), "a page gives it its own ground"
    assert figure.chart.to_dict()["encoding"]["x"]["title"] == "X"


def test_the_banner_of_simulated_data_is_inside_the_figure_and_its_csv() -> None:
    figure = make(banner="Simulated data: no answer is a person's.")
    assert b"Simulated data" in figure.svg()
    table = pd.read_csv(BytesIO(figure.csv()))
    assert table["simulated"].str.startswith("Simulated data").all()
    assert "simulated" not in pd.read_csv(BytesIO(make().csv()))


def test_a_figure_without_anything_to_draw_says_why() -> None:
    figure = make(content=None, reason="nobody has answered yet")
    assert figure.selection is None
    with pytest.raises(BarlowError, match="nobody has answered yet"):
        figure.spec()


@pytest.mark.parametrize(
    ("event", "ids"),
    [
        ({"pick": [{"item": "a"}, {"item": "b"}, {"item": "a"}]}, ["a", "b"]),
        ({"pick": {"item": ["a", "b"]}}, ["a", "b"]),
        ({"pick": []}, []),
        ({}, []),
        (None, []),
        ({"pick": [{"x": 1}]}, []),
    ],
)
def test_what_a_reader_picked(event: object, ids: list[str]) -> None:
    assert make().selected(event) == ids  # type: ignore[arg-type]


def test_csv_is_safe_in_a_spreadsheet() -> None:
    table = pd.DataFrame(
        {"text": ["=HYPERLINK(1)", "a, b", None], "words": [[("fur", 3)], ["x", "y"], []], "value": [0.1, np.nan, 2.0]}
    )
    assert csv_bytes(table, None).decode().splitlines() == [
        "text,words,value",
        "'=HYPERLINK(1),fur (3),0.1",
        '"a, b",x; y,',
        ",,2",
    ]


def test_big_figures_are_thinned_evenly_and_keep_both_ends() -> None:
    points = pd.DataFrame(
        {"series": np.repeat(["a", "b"], 5000), "item": np.arange(10_000), "x": np.arange(10_000) % 5000, "share": 0.5}
    )
    kept = thinned(points, "series")
    assert len(kept) == MOST_POINTS
    assert kept.groupby("series")["x"].agg(["min", "max"]).to_numpy().tolist() == [[0, 4999], [0, 4999]]
    assert len(thinned(points.head(10), "series")) == 10
    spec = staircase(points, x="x", x_title="X", colours={"domain": ["a", "b"], "range": ["red", "blue"]})
    assert len(spec["data"]["values"]) == MOST_POINTS


def test_bins_hold_every_value_once() -> None:
    rng = np.random.default_rng(0)
    for values, whole in (
        (rng.lognormal(4, 1, 500), False),
        (rng.integers(1, 90, 300), True),
        (np.array([7]), True),
        (np.array([3.0]), False),
    ):
        bins = binned(values, whole=whole)
        assert bins["count"].sum() == len(values)
        assert (bins["low"] < bins["high"]).all()
        assert len(bins) <= 31
    assert binned(np.array([1, 1, 3]), whole=True)["count"].tolist()[:3] == [2, 0, 1]


def test_numbers_in_words() -> None:
    space = "\N{NO-BREAK SPACE}"
    estimate = Estimate(0.4318, 0.409, 0.454, 5971, 1200, 312)
    assert with_interval(estimate, as_share=True).replace(space, " ") == "43.2 % (95 % CI 40.9 to 45.4 %)"
    assert inline(estimate, as_share=True).replace(space, " ") == "43.2 %, 95 % CI 40.9 to 45.4 %"
    assert with_interval(Estimate(None, None, None, 0, 0, 0, reason="nobody answered")) == "not defined (nobody answered)"
    assert interval(None, 1, 0.95) == ""
    assert interval(-0.5, 0.25, 0.9).replace(space, " ") == "90 % CI −0.50 to 0.25"
    assert [decimal(value) for value in (-1.005, -0.001, pd.NA, float("nan"), 1234.5)] == ["−1.00", "0.00", "—", "—", "1,234.50"]
    assert [p_value(value) for value in (0.0004, 0.0312, pd.NA)] == ["< 0.001", "0.031", "—"]
    assert (p_text(0.0004), p_text(0.5)) == ("p < 0.001", "p = 0.500")
    assert share(None) == "—"


def test_names_from_a_study_stay_text_in_markdown(analysis: object) -> None:
    assert markdown("<b>fence</b> *x*") == r"\<b\>fence\</b\> \*x\*"
    assert "**Formula:**" in how(analysis, "mean", intervals="percentiles")  # type: ignore[arg-type]
