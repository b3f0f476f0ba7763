"""The section about interventions on the page of a group and in reports: the verdict, curves and pictures, or the command that makes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import steered
from browse_pages import Opener, commands, html

from barlow_core.analyses import Checks, explain_run
from barlow_core.export import report
from barlow_core.interventions import Intervention, InterventionSettings, intervene, leaf_target
from barlow_core.run import Run


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Intervention]:
    """A run of the steered model, explained, and what an intervention on its failure mode in class a found."""
    run, extractor, model = steered.steered_run(tmp_path_factory.mktemp("steered"))
    explain_run(run, groupings=["label"], workers=1, depth=1, checks=Checks(held_out="none"))
    settings = InterventionSettings(images=12, doses=2, alpha=0.2)
    return run, intervene(run, model, leaf_target(run, "label:a"), extractor=extractor, settings=settings)


def test_verdict_curves_and_pictures(found: tuple[Run, Intervention], monkeypatch: pytest.MonkeyPatch) -> None:
    run, made = found
    page = Opener(monkeypatch)(run, class_="a")
    text = html(page)
    assert "Does the model depend on it?" in text
    assert f"<b>The model depends on feature {steered.STEERING}.</b>" in text
    assert f"feature {steered.STEERING}" in text
    assert text.count('class="bw-pair') == 1 + sum(pair["way"] == made.info["ways"][0]["way"] for pair in made.pictures())
    charts = [json.loads(element.proto.spec) for element in page.get("vega_lite_chart")]
    titles = [chart["title"]["text"] for chart in charts if isinstance(chart.get("title"), dict)]
    assert titles == ["In the leaf: now right", "Outside of the leaf: now wrong", "Other classes: now wrong"]
    assert any("Changing one feature changes others" in element.value for element in page.markdown)


def test_where_nothing_was_tested_the_page_says_how(found: tuple[Run, Intervention], monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = found
    said = [line for line in commands(Opener(monkeypatch)(run, class_="b")) if "intervene" in line]
    assert len(said) == 1
    assert said[0].startswith(f"barlow intervene {run.path} label:b --depth 1 --leaf ")
    assert said[0].endswith("--model MODEL")


def test_the_report_has_the_section(found: tuple[Run, Intervention], tmp_path: Path) -> None:
    run, made = found
    modes = run.failure_modes()
    text = report(run, [(row.group, row.depth, row.leaf) for row in modes.itertuples()])
    assert text.count("Does the model depend on it?") == len(modes)
    assert f"<strong>The model depends on feature {steered.STEERING}.</strong>" in text
    assert text.count('src="data:image/svg+xml;base64,') >= 3
    assert "barlow intervene RUN label:b --depth 1 --leaf" in text
    assert text.count("before the change") == len(made.pictures())
    assert str(run.path) not in text
