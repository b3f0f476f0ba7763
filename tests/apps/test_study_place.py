"""The address of the analyst's page: what it says, and what becomes of what means nothing."""

from __future__ import annotations

from datetime import date

import pytest
from analyzing import study_place
from hypothesis import given
from hypothesis import strategies as st
from shared import address


def browser(monkeypatch: pytest.MonkeyPatch, query: dict[str, list[str]]) -> None:
    """Let the browser show an address, whatever the page writes into it."""

    class Shown(dict[str, list[str]]):
        get_all = dict.__getitem__
        from_dict = staticmethod(lambda _: None)

    monkeypatch.setattr(address.st, "query_params", Shown(query))


NAMES = st.lists(st.text(min_size=1), unique=True, max_size=3).map(tuple)
TEXTS = st.none() | st.text(min_size=1)
DAYS = st.none() | st.dates()


@given(
    page=st.text(min_size=1),
    item=TEXTS,
    worker=TEXTS,
    classes=NAMES,
    tiers=NAMES,
    days=st.tuples(DAYS, DAYS).filter(lambda days: None in days or days[0] <= days[1]),
    checks=st.sampled_from(["all", "passed"]),
    columns=TEXTS,
    switches=st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_a_place_survives_its_address(
    page: str,
    item: str | None,
    worker: str | None,
    classes: tuple[str, ...],
    tiers: tuple[str, ...],
    days: tuple[date | None, date | None],
    checks: str,
    columns: str | None,
    switches: list[bool],
) -> None:
    place = study_place.Place(page, item, worker, classes=classes, tiers=tiers, since=days[0], until=days[1], checks=checks)
    place = place._replace(columns=columns, **dict(zip(study_place.SWITCHES, switches, strict=True)))
    query = study_place.unparse(place)
    assert study_place.parse(query) == place
    assert all(isinstance(value, str) for values in query.values() for value in values)


def test_the_usual_place_has_an_empty_address() -> None:
    assert study_place.unparse(study_place.Place()) == {}
    assert study_place.parse({}) == study_place.Place()


@pytest.mark.parametrize(
    ("query", "field", "value"),
    [
        ({"since": ["yesterday"]}, "since", None),
        ({"checks": ["maybe"]}, "checks", "all"),
        ({"exclude": ["yes"]}, "exclude", False),
        ({"class": ["a", "a", "b"]}, "classes", ("a", "b")),
        ({"since": ["2026-02-02"], "until": ["2026-01-01"]}, "since", date(2026, 1, 1)),
        ({"page": []}, "page", "overview"),
    ],
)
def test_what_means_nothing_is_left_out(query: dict[str, list[str]], field: str, value: object) -> None:
    assert getattr(study_place.parse(query), field) == value


def test_a_click_that_comes_with_the_address_of_before_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser has not the new address yet when somebody clicks again at once."""
    session: dict[str, object] = {}
    monkeypatch.setattr(address.st, "session_state", session)
    old, new = {"tier": ["top"]}, {"tier": ["middle"]}
    browser(monkeypatch, old)
    study_place.adopt_url()
    study_place.go(tiers=("middle",))
    study_place.write_url()
    assert session[address.WRITTEN] == new
    study_place.go(classes=("cat",))  # the second click, still with the old address
    study_place.adopt_url()
    assert study_place.here() == study_place.Place(tiers=("middle",), classes=("cat",))
    study_place.write_url()
    browser(monkeypatch, {"tier": ["bottom"]})
    study_place.adopt_url()  # the back button, or a link: no click
    assert study_place.here() == study_place.Place(tiers=("bottom",))
