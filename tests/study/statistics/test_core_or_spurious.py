"""Votes and verdicts about core and spurious features: values worked out by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from barlow_core.errors import BarlowError
from study.statistics.core_or_spurious import alphas, confidence_by_answer, reasons, verdict_shares, verdicts

WORDS = {"o": "object", "b": "background", "s": "separate", "y": "yes", "n": "no"}


def answers(question: str = "part", **said: str) -> pd.DataFrame:
    """Answers by item, a letter each; worker k gives the k-th, with confidence k."""
    rows = [
        (item, f"worker {place}", WORDS[letter], float(place), f"because {letter}")
        for item, letters in said.items()
        for place, letter in enumerate(letters, 1)
    ]
    return pd.DataFrame(rows, columns=["item", "worker", question, "confidence", "reason"])


def wanted(n: int, *items: str) -> pd.Series:
    return pd.Series(n, index=list(items), dtype="Int64")


@pytest.mark.parametrize(
    ("letters", "of", "verdict", "support", "most"),
    [
        ("ooooo", 5, "core", 5, ("object",)),
        ("ooobs", 5, "core", 3, ("object",)),
        ("oobbs", 5, "spurious", 3, ("object", "background")),  # background and separate object together
        ("bbsso", 5, "spurious", 4, ("background", "separate")),
        ("ooo", 5, "core", 3, ("object",)),  # two answers are still to come, and cannot change it
        ("oob", 5, "open", 2, ("object",)),
        ("oobb", 5, "open", 2, ("object", "background")),
        ("oobb", 4, "tie", 2, ("object", "background")),
        ("oobs", 4, "tie", 2, ("object",)),
        ("o", 1, "core", 1, ("object",)),
        ("ob", None, "tie", 1, ("object", "background")),  # it is not known how many were wanted: these are all
        ("oob", None, "core", 2, ("object",)),
    ],
)
def test_a_verdict_takes_more_than_half_of_the_wanted_answers(
    letters: str, of: int | None, verdict: str, support: int, most: tuple[str, ...]
) -> None:
    found = verdicts(answers(x=letters), "part", None if of is None else wanted(of, "x")).loc["x"]
    assert (found["verdict"], found["support"], found["most"]) == (verdict, support, most)
    assert found["n"] == len(letters)
    assert found["wanted"] == (of or len(letters))
    assert [found[name] for name in ("object", "background", "separate")] == [letters.count(one) for one in "obs"]
    assert found["confidence"] == pytest.approx((len(letters) + 1) / 2)


def test_the_second_round_confirms_or_rejects() -> None:
    found = verdicts(
        answers("same", a="yyyyn", b="nnnyy", c="yynn", d="yn"), "same", wanted(4, "c").combine_first(wanted(5, "a", "b", "d"))
    )
    assert found["verdict"].to_dict() == {"a": "confirmed", "b": "rejected", "c": "tie", "d": "open"}
    assert found["support"].to_dict() == {"a": 4, "b": 3, "c": 2, "d": 1}


def test_shares_have_wilsons_interval_and_count_every_item_once() -> None:
    found = verdicts(answers(a="ooooo", b="ooobb", c="bbbbb", d="oo"), "part", wanted(5, *"abcd"))
    rows = verdict_shares(found, "part", confidence=0.95).set_index("verdict")
    assert rows["count"].to_dict() == {"core": 2, "spurious": 1, "tie": 0, "open": 1}
    assert rows.loc["core", "share"] == 0.5
    # Wilson, 2 of 4: (0.5 + z^2/8 +- z sqrt(1/16 + z^2/64)) / (1 + z^2/4), z = 1.959964: 0.1500 to 0.8500.
    assert (round(rows.loc["core", "low"], 4), round(rows.loc["core", "high"], 4)) == (0.15, 0.85)
    empty = verdict_shares(found.iloc[:0], "part", confidence=0.95)
    assert empty["share"].isna().all()


def test_alpha_of_core_against_spurious_takes_background_and_separate_for_one() -> None:
    part, side, confidence = alphas(answers(a="ooo", b="bss", c="obo"), "part", confidence=0.95)
    # Counts of (object, background, separate): (3, 0, 0), (0, 1, 2), (2, 1, 0); n = 9, of values 5, 2, 2.
    # Observed, pairs that differ over m - 1 = 2: item b 4 / 2, item c 4 / 2, together 4; expected (81 - 25 - 4 - 4) / 8 = 6.
    assert part.value == pytest.approx(1 - 4 / 6)
    # Core, spurious: (3, 0), (0, 3), (2, 1); observed 4 / 2 = 2, expected (81 - 25 - 16) / 8 = 5.
    assert side.value == pytest.approx(1 - 2 / 5)
    assert (part.n_items, side.n_paired, part.measurement, confidence.measurement) == (3, 9, "nominal", "ordinal")
    assert part.low is None
    assert part.reason is not None
    assert [one.question for one in alphas(answers("same", a="yy", b="yn"), "same", confidence=0.95)] == ["same", "confidence"]


def test_an_interval_of_alpha_lies_around_it() -> None:
    said = {
        f"item {number}": letters for number, letters in enumerate(["ooo", "obo", "bbb", "sss", "bsb", "oob", "ooo", "bbs"] * 3)
    }
    found = alphas(answers(**said), "part", confidence=0.95)[0]
    assert found.reason is None
    assert found.low is not None
    assert found.value is not None
    assert found.high is not None
    assert -0.5 < found.low < found.value < found.high < 1


def test_confidence_is_by_answer_and_of_all() -> None:
    rows = confidence_by_answer(answers(a="oob", b="obb"), "part", confidence=0.95, replicates=50, seed=0).set_index("answer")
    # Workers 1, 2, 3 rate 1, 2, 3: object 1 2 1, background 3 2 3.
    assert rows.loc["object", "value"] == pytest.approx(4 / 3)
    assert rows.loc["background", "value"] == pytest.approx(8 / 3)
    assert (rows.loc["separate", "n"], rows.loc["all", "n"]) == (0, 6)
    assert rows.loc["all", "value"] == pytest.approx(2)


def test_reasons_are_listed_by_item_and_answer() -> None:
    table = answers(b="so", a="o")
    table.loc[0, "reason"] = "  "
    assert reasons(table, "part")[["item", "part", "reason"]].to_numpy().tolist() == [
        ["b", "object", "because o"],
        ["a", "object", "because o"],
    ]
    assert reasons(table.drop(columns="reason"), "part").empty


def test_a_value_that_is_none_is_named() -> None:
    table = answers(a="o").assign(part="wheel")
    with pytest.raises(BarlowError, match="part 'wheel'; expected one of object, background, separate"):
        verdicts(table, "part")
