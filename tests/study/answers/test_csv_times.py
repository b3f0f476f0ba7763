from __future__ import annotations

import pandas as pd
import pytest

from study.answers.csv_times import EXPECTED, Times, read_times


def read(*texts: str | None) -> Times:
    """As a CSV would, whose first row is line 2."""
    return read_times(pd.Series(texts, index=range(2, len(texts) + 2), dtype="str"), "sent")


def day(*texts: str | None) -> list[str | None]:
    return [None if pd.isna(value) else value.isoformat() for value in read(*texts).values]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01T12:00:00.25+02:00", "2026-03-01T10:00:00.250000+00:00"),
        ("2026-03-01 12:00", "2026-03-01T12:00:00+00:00"),
        ("2026/3/1", "2026-03-01T00:00:00+00:00"),
        ("20260301", "2026-03-01T00:00:00+00:00"),
        ("Sat Apr 04 10:11:12 PDT 2020", "2020-04-04T17:11:12+00:00"),
        ("4 April 2020", "2020-04-04T00:00:00+00:00"),
        ("Apr 4, 2020 10:11 PM", "2020-04-04T22:11:00+00:00"),
        ("4-Apr-2020", "2020-04-04T00:00:00+00:00"),
        ("13/04/2020 10:11:12", "2020-04-13T10:11:12+00:00"),
        ("4/13/2020 10:11 PM", "2020-04-13T22:11:00+00:00"),
        ("13.4.2020", "2020-04-13T00:00:00+00:00"),
        ("04-04-2020", "2020-04-04T00:00:00+00:00"),
    ],
)
def test_a_time_that_can_be_read_in_one_way(text: str, time: str) -> None:
    found = read(text, None)
    assert day(text, None) == [time, None]
    assert (found.wrong, found.notes) == ({}, ())


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "now",
        "today",
        "10:11",
        "2020",
        "2020-04",
        "Apr 2020",
        "Apr 4",
        "Apr 04 10:11:12 -0700",
        "13/04/20",
        "2020-13-04",
        "31/02/2020",
        "13/14/2020",
        "Sat Apr 04 10:11:12 IST 2020",
        "1586020272",
        "inf",
    ],
)
def test_what_is_no_day_is_not_made_one(text: str) -> None:
    found = read("2026-03-01", text)
    assert list(found.wrong) == [3]
    assert found.wrong[3].startswith(EXPECTED)
    assert found.values.isna().tolist() == [False, True]


def test_one_order_of_day_and_month_for_the_whole_column() -> None:
    assert day("03/04/2020", "13/04/2020", "2020-04-05") == [
        "2020-04-03T00:00:00+00:00",
        "2020-04-13T00:00:00+00:00",
        "2020-04-05T00:00:00+00:00",
    ]
    assert read("03/04/2020", "13/04/2020").notes == (
        "Times in 'sent' such as '03/04/2020' are read with the day first, as '13/04/2020' (line 3) can be read in no other way.",
    )
    assert day("04/13/2020", "03/04/2020 10:00")[1] == "2020-03-04T10:00:00+00:00"
    assert "the month first" in read("04/13/2020", "03/04/2020").notes[0]


def test_a_column_that_does_not_tell_its_order_is_not_read() -> None:
    found = read("03/04/2020", "05/05/2020", "12.11.2020")
    assert list(found.wrong) == [2, 4]
    assert all("whose day and month can be told apart" in expected for expected in found.wrong.values())
    assert found.notes == ()


def test_a_column_with_two_orders_is_not_read() -> None:
    found = read("13/04/2020", "03/04/2020", "04/13/2020", "04/14/2020")
    assert found.wrong == dict.fromkeys((4, 5), "the day first, as in line 2 ('13/04/2020'); a column has one order")


def test_nothing_at_all() -> None:
    assert day() == []
    assert day(None, None) == [None, None]
