"""What a report says about the search of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from report_page import Page

from barlow_core.analyses import FoundRule, found_rules
from barlow_core.analyses.verdicts import CONFIRMED
from barlow_core.export import report, report_search, strongest
from barlow_core.export.pictures import Embedder, panel_rows
from barlow_core.panels import Panel, PanelImage
from barlow_core.run import Run
from barlow_core.views.feature_names import FeatureName
from barlow_core.views.search import found_rule_words


def words_of(html: str) -> str:
    return Page(html).words.replace("\N{NO-BREAK SPACE}", " ")


def panel_of(rule: FoundRule, folder: Path, picture: Path) -> Panel:
    """A panel of a rule with one column, whose pictures are all the same file."""
    folder.mkdir()
    (folder / "a.png").write_bytes(picture.read_bytes())
    image = PanelImage(0, "a.png", "cat", "dog", 1.25, 2.5, *["a.png"] * 4)
    attack = {"steps": 7, "step_size": 1.0, "epsilon": 1.0}
    return Panel("", rule.group, rule.direction, 1, "group", (0.0, 1.25), attack, 32, {}, (image,), folder)  # type: ignore[arg-type]


def test_confirmed_rules_come_first_with_counts_fidelity_and_failures(searched_run: Run) -> None:
    table = found_rules(searched_run)
    first = FoundRule(table.iloc[0].to_dict())
    assert first.confirmed
    html = report(searched_run, strongest(searched_run, depth=1))
    page, words = Page(html), words_of(html)
    said = found_rule_words(first)
    assert "#search" in page.links
    assert {"search", "rule-1"} <= page.anchors
    for text in (said.what + said.in_short, said.error_rate, said.counted, *said.notes, first.row["verdict_reason"]):
        assert text.replace("\N{NO-BREAK SPACE}", " ") in words
    assert "features say it in short" in words
    assert words.count("The pictures of this weighted sum were not made.") == (table["verdict"] == CONFIRMED).sum()
    assert f"of the {first.row['n_failures']} failures here, the clearest first" in words
    assert str(searched_run.path.parent) not in html, "no path of this machine"


def test_what_is_not_confirmed_is_counted_and_folded(searched_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_search, "SHOWN", 0)
    table = found_rules(searched_run)
    html = report(searched_run, strongest(searched_run, depth=1))
    found = html[html.index('<section class="mode" id="search"') : html.index("</main>")]
    folded = found[found.index("<details>") : found.index("</section>")]
    assert "<article" not in found
    assert folded.count("<tr><th") == 1 + len(table)
    assert all(reason in Page(folded).words for reason in table["verdict_reason"])


def test_features_go_by_their_names(searched_run: Run) -> None:
    rule = FoundRule(found_rules(searched_run).iloc[0].to_dict())
    feature = rule.short.features[0]
    words = words_of(report(searched_run, [], names={feature: FeatureName("orange fur", 4, 5)}))
    assert "much of “orange fur”" in words


def test_a_run_that_was_not_searched_says_which_command_does(explained_run: Run) -> None:
    html = report(explained_run, strongest(explained_run, depth=1))
    assert "This run has not been searched yet. Run: barlow search RUN" in words_of(html)
    assert "#search" not in Page(html).links


def test_panels_that_were_made_are_in_it(searched_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = FoundRule(found_rules(searched_run).iloc[0].to_dict())
    panel = panel_of(rule, tmp_path / "panel", searched_run.benchmark.paths[0])
    load: Callable[..., Panel] = lambda run, group, direction: panel  # noqa: E731
    monkeypatch.setattr(report_search, "load_panel", load)
    html = report(searched_run, [])
    assert "Heatmaps: yellow where the weighted sum is highest" in html
    assert "Feature attack: changed in 7 steps to raise the weighted sum" in html
    rows = panel_rows(panel, Embedder())
    assert [row["letter"] for row in rows] == ["A", "B", "C"]
    assert [row["images"][0]["caption"] for row in rows] == ["1.250", "", "2.500"]
    assert "weighted sum of" in rows[0]["images"][0]["alt"]
