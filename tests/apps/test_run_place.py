"""The place and its URL, without a page."""

from __future__ import annotations

import pytest
from browsing.run_place import Kept, Place, parse, unparse

USUAL = Place(run="first", grouping="label")


@pytest.mark.parametrize(
    "place",
    [
        USUAL,
        USUAL._replace(page="group", name="truck"),
        USUAL._replace(page="export", name="truck", kept=(Kept("label:truck", 1, 2), Kept("pair:a/b,c+d e", 3, 0))),
        USUAL._replace(
            page="group", name="a & b=c/ü", grouping="prediction", depth=2, delta=0.05, tau=0.0, leaf=3, node=0, feature=0
        ),
        USUAL._replace(page="group", name="cat", show="all", label="dog", predicted="cat", sort="sure", part=3, image=0),
        USUAL._replace(page="search", rule="label:a%2Fb c/3"),
        USUAL._replace(page="compare", run="second", other="first", find="two words", only="modes", more="attack"),
    ],
)
def test_a_link_means_the_place_that_wrote_it(place: Place) -> None:
    found = parse(unparse(place, USUAL))
    settled = found._replace(run=found.run or USUAL.run, grouping=found.grouping or USUAL.grouping)
    assert settled == place


def test_what_is_as_by_default_is_not_in_the_link() -> None:
    assert unparse(USUAL, USUAL) == {}
    assert unparse(USUAL._replace(page="group", name="truck"), USUAL) == {"class": "truck"}


def test_what_means_nothing_is_as_if_it_were_not_there() -> None:
    query = {
        "page": "attic",
        "depth": "-1",
        "delta": "much",
        "tau": "nan",
        "min_leaf": "1.5",
        "node": "",
        "show": "x",
        "kept": "label:a/1,b//,/1/x,",
        "colour": "red",
    }
    assert parse(query) == Place()


def test_a_class_in_a_link_opens_its_page() -> None:
    assert parse({"class": "truck"}).page == "group"
    assert parse({"class": "truck", "page": "notes"}).page == "notes"
