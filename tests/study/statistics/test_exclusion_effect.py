"""What difference it makes to leave out workers."""

from __future__ import annotations

import pandas as pd
import pytest
from clicker_answers import clicker_answers

from study.statistics.exclusion_effect import effect_of_exclusions


def test_the_effect_on_every_headline_number() -> None:
    answers = clicker_answers()
    full = effect_of_exclusions(answers, ["clicker"])
    table = full[["all", "kept", "change"]]
    assert table.loc["answers"].tolist() == [19, 13, -6]
    assert table.loc["workers"].tolist() == [4, 3, -1]
    assert table.loc["items"].tolist() == [7, 7, 0]
    assert table.loc["share of answers for both"].tolist() == pytest.approx([1 / 3, 0, -1 / 3])
    assert table.loc["mean confidence"].tolist() == pytest.approx([13 / 3, 4, -1 / 3])
    assert table.loc["items with ease and confidence above 3", "all"] == 4
    assert table.loc["alpha of confidence", "kept"] is pd.NA, "all the same"
    assert table.loc["alpha of confidence", "all"] < 0
    intervals = full[["all_low", "all", "all_high"]].loc[["mean ease", "share of answers for both", "alpha of ease"]]
    assert (intervals["all_low"] < intervals["all"]).all()
    assert (intervals["all"] < intervals["all_high"]).all()
    assert not any(name.startswith("mean agreement") for name in table.index), "no word vectors were given"
    nothing = effect_of_exclusions(answers, answers["worker"].unique())
    assert nothing.loc["mean ease", "kept"] is pd.NA
    assert nothing.loc["answers", "kept"] == 0
    assert (effect_of_exclusions(answers, [])["change"].dropna() == 0).all()
