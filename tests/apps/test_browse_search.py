"""The page of what a search found, without a browser."""

from __future__ import annotations

import pytest
from browse_pages import Opener, address, commands, html

from barlow_core.analyses import FoundRule, found_rules, searched_groups
from barlow_core.run import Run
from barlow_core.wording import percent


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Opener:
    return Opener(monkeypatch)


def test_what_was_not_searched_says_which_command_does(explained_run: Run, open_page: Opener) -> None:
    page = open_page(explained_run, page="search")
    assert commands(page) == [f"barlow search {explained_run.path}"]
    assert "has not been searched yet" in page.info[0].value


def test_verdict_sentence_and_numbers_of_the_first_rule(searched_run: Run, open_page: Opener) -> None:
    first = found_rules(searched_run).iloc[0]
    assert first["verdict"] == "confirmed"
    text = html(open_page(searched_run, page="search"))
    assert "What the search found" in text
    assert f"<dd>{len(searched_groups(searched_run)[lambda t: t['reason'].isna()])} of 4</dd>" in text
    assert "could not be searched" in text
    assert "much of feature " in text
    assert "taken together</strong> (the rule in short), <strong>" in text
    assert "The rule weighs 6 features; 3 features say it in short." in text
    assert f"({first['held_out_n_failures']:.0f} of {first['held_out_n_images']:.0f})" in text
    assert f"All in all {first['n_images']} images follow the rule, of which {first['n_failures']} fail" in text
    assert text.count('class="bw-cell bw-failure"') == min(first["n_failures"], 24)


def test_how_often_it_is_found_again(searched_run: Run, open_page: Opener) -> None:
    share = found_rules(searched_run).iloc[0]["stability"]
    page = open_page(searched_run, page="search")
    assert f"the same held-out images again in {percent(share, space=' ')} of the halves." in html(page)
    assert page.dataframe[0].value["stability"].iloc[0] == pytest.approx(100 * share)


def test_each_feature_shows_its_images(searched_run: Run, open_page: Opener) -> None:
    text = html(open_page(searched_run, page="search"))
    features = FoundRule(found_rules(searched_run).iloc[0].to_dict()).short.features
    for feature in features:
        assert text.count(f", feature {feature} is strong") == 3


def test_images_are_those_of_the_rule(searched_run: Run, open_page: Opener) -> None:
    first = found_rules(searched_run).iloc[0]
    text = html(open_page(searched_run, page="search", show="all"))
    assert text.count('class="bw-cell bw-') == min(first["n_images"], 24)


def test_panel_is_made_on_demand_only(searched_run: Run, open_page: Opener) -> None:
    page = open_page(searched_run, page="search")
    assert any("weighted sum" in caption.value for caption in page.caption)
    assert [button.label for button in page.button if button.label == "Make this panel"]
    assert not [
        button.label
        for button in open_page(searched_run, "--read-only", page="search").button
        if button.label == "Make this panel"
    ]


def test_a_rule_in_the_address(searched_run: Run, open_page: Opener) -> None:
    rules = found_rules(searched_run)
    last = rules.iloc[-1]
    page = open_page(searched_run, page="search", rule=f"{last['group']}/{last['number']}")
    assert f"rule {last['number'] + 1}" in html(page)
    assert address(page)["rule"] == f"{last['group']}/{last['number']}"
    unknown = open_page(searched_run, page="search", rule="label:cat/77")
    assert "no rule 77" in unknown.warning[0].value
    assert not open_page(searched_run, page="search", rule="nonsense").warning
