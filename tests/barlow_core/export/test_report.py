from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_page import Page

from barlow_core import views
from barlow_core.analyses import explain_run
from barlow_core.analyses.checks import Checks
from barlow_core.analyses.verdicts import ranked
from barlow_core.errors import BarlowError
from barlow_core.export import Chosen, report, strongest, write_report
from barlow_core.export.pictures import Embedder, histogram
from barlow_core.run import Run
from barlow_core.views.feature_names import FeatureName
from barlow_core.views.judgements import Judgements
from barlow_core.wording import percent


@pytest.fixture
def modes(explained_run: Run) -> list[Chosen]:
    return strongest(explained_run, depth=2)


def test_it_stands_alone(explained_run: Run, modes: list[Chosen]) -> None:
    html = report(explained_run, modes)
    page = Page(html)
    assert page.sources, "it has pictures"
    assert all(source.startswith("data:image/") for source in page.sources)
    assert all(link.startswith("#") for link in page.links)
    assert not re.search(r"https?://|@import|url\(", html)
    assert str(explained_run.path.parent) not in html, "no path of this machine"
    assert all(image["alt"] and image["width"] and image["height"] for image in page.images)


def test_the_contents_lead_to_every_failure_mode(explained_run: Run, modes: list[Chosen]) -> None:
    page = Page(report(explained_run, modes, title="What & where"))
    assert page.links == [f"#mode-{i}" for i in range(1, len(modes) + 1)]
    assert {link[1:] for link in page.links} <= page.anchors
    assert page.headings[0] == f"{len(modes)} failure modes"
    assert page.headings[1] == views.group_words(*modes[0].group.split(":")).title
    assert page.words.startswith("What & where What & where")


def test_its_numbers_are_those_of_the_run_with_what_they_were_measured_on(explained_run: Run) -> None:
    mode = views.failure_mode(explained_run, "label:truck", depth=1, leaf=1)
    page = Page(report(explained_run, [("label:truck", 1, 1)]))
    for column in ("error_rate", "error_coverage", "held_out_error_rate", "held_out_error_coverage", "ber"):
        assert percent(mode[column]) in page.text or any(percent(mode[column]) in text for text in page.text), column
    words = page.words.replace("\N{NO-BREAK SPACE}", " ")
    assert "On the 40 images of the group that were searched (in-sample)" in words
    assert "On held-out images" in words
    assert "the search was repeated 5 times" in words
    assert views.rule_words(views.re_evaluate(explained_run, "label:truck", depth=1).analysis.tree.node(1).conditions) in words
    assert f"{int(mode['n_failures'])} of {int(mode['n_images'])}" in words
    assert "failure mode None" not in words


def test_what_was_not_measured_is_said_to_be_so(make_explained: Callable[..., Run]) -> None:
    run = make_explained(checks=Checks(held_out="none", permutations=9), depth=1)
    words = Page(report(run, [("label:truck", 1, 1)])).words
    assert "Not measured on held-out images." in words
    assert "Nothing was measured on held-out images." in words
    mode = views.failure_mode(run, "label:truck", depth=1, leaf=1)
    assert mode["p"] == 0.1
    assert f"Permutation test of the tree {views.luck_words(mode)}" in words


def test_what_people_said_is_in_it_and_stays_text(explained_run: Run) -> None:
    mode = views.failure_mode(explained_run, "label:truck", depth=1, leaf=1)
    feature = int(mode["feature"])
    judgements = Judgements(explained_run)
    judgements.record(feature, author="Ada <b>", group="label:truck", name="<script>alert(1)</script>", verdict="spurious")
    judgements.record(feature, author="Bob", group="label:cat", comment="seen elsewhere")
    for names in ({("label:truck", feature): FeatureName("big & round", 4, 5)}, {feature: FeatureName("big & round", 4, 5)}):
        html = report(explained_run, [("label:truck", 1, 1)], judgements=judgements, names=names)
        assert "<script" not in html
        words = Page(html).words
        assert "“<script>alert(1)</script>”: spurious (Ada <b>, " in words
        assert "seen elsewhere (Bob, " in words
        assert "said about label:cat" in words
        assert "Workers call it “big & round” (4 of 5 workers)." in words
    assert (
        "Workers call it"
        not in Page(report(explained_run, [("label:truck", 1, 1)], names={feature + 1: FeatureName("x", 1, 1)})).words
    )


def test_the_confirmed_ones_come_first_and_the_others_are_folded(explained_run: Run, modes: list[Chosen]) -> None:
    verdicts = [views.failure_mode(explained_run, mode.group, depth=2, leaf=mode.leaf)["verdict"] for mode in modes]
    confirmed = verdicts.count("confirmed")
    assert 0 < confirmed < len(modes), "the run has both"
    html = report(explained_run, modes[::-1])
    folded = html[html.index('<details class="guesses">') :]
    assert folded.count('<section class="mode" id="mode-') == len(modes) - confirmed
    assert html.count('<section class="mode" id="mode-') == len(modes)
    assert f"{confirmed} confirmed on held-out images, {len(modes) - confirmed} not." in Page(html).words


def test_any_node_and_a_tree_that_is_refitted(explained_run: Run) -> None:
    words = Page(report(explained_run, [Chosen("label:truck", 2, 0), Chosen("label:truck", 2, 1, min_leaf=12)])).words
    assert "where any image" in words
    assert "This node is no failure mode" in words
    assert "A tree that was fitted now, on 40 images, with at least 12 images in a leaf" in words


def test_nothing_and_what_does_not_exist_is_refused(explained_run: Run) -> None:
    with pytest.raises(BarlowError, match="nothing to report"):
        report(explained_run, [])
    with pytest.raises(BarlowError, match="no node 99. Expected one of: 0, 1, 2"):
        report(explained_run, [("label:truck", 1, 99)])
    with pytest.raises(BarlowError, match="label:bird is not among"):
        report(explained_run, [("label:bird", 1, 1)])


def test_a_missing_image_leaves_a_gap_not_an_error(explained_run: Run, tmp_path: Path) -> None:
    explained_run.__dict__["benchmark"] = replace(explained_run.benchmark, images_dir=tmp_path / "moved away")
    html = report(explained_run, [("label:truck", 1, 1)])
    assert "is missing or damaged" in html
    assert not Page(html).sources


def test_it_is_written_whole_or_refused(explained_run: Run, tmp_path: Path) -> None:
    path = write_report(explained_run, tmp_path / "new" / "report.html", [("label:truck", 1, 1)])
    assert path.read_text("utf-8").rstrip().endswith("</html>")
    with pytest.raises(BarlowError, match="cannot be written"):
        write_report(explained_run, tmp_path / "new" / "report.html" / "below a file.html", [("label:truck", 1, 1)])


def test_the_strongest_come_first(explained_run: Run) -> None:
    chosen = strongest(explained_run, depth=1)
    modes = explained_run.failure_modes().query("depth == 1")
    assert len(chosen) == len(modes)
    assert chosen[0].group == ranked(modes)["group"].iloc[0] == "label:truck"
    assert strongest(explained_run, depth=1, top=1) == chosen[:1]
    assert {one.group for one in strongest(explained_run, depth=1, groups=["label:truck"])} == {"label:truck"}
    assert {one.depth for one in strongest(explained_run)} == {3}
    with pytest.raises(BarlowError, match="label:bird is not among the 6 groups"):
        strongest(explained_run, groups=["label:bird"])


# --- pictures


def test_pictures_are_small_and_few_enough(tmp_path: Path) -> None:
    noise = Image.effect_noise((900, 600), 100).convert("RGB")
    noise.save(tmp_path / "large.png")
    noise.resize((32, 24)).save(tmp_path / "small.png")
    embed = Embedder(side=200)
    large, small = embed(tmp_path / "large.png"), embed(tmp_path / "small.png")
    assert (large.width, large.height, small.width, small.height) == (200, 133, 32, 24)
    assert str(large.uri).startswith("data:image/jpeg;base64,")
    assert str(small.uri).startswith("data:image/png;base64,"), "a small picture keeps its pixels"
    assert embed(tmp_path / "none.png").why_not == "none.png is missing or damaged"
    full = Embedder(side=200, most_bytes=5000)
    assert full(tmp_path / "large.png").uri is None
    assert full(tmp_path / "small.png").uri
    assert full.left_out == 1


def test_a_histogram_fills_its_box(explained_run: Run) -> None:
    node = views.re_evaluate(explained_run, "label:truck", depth=1).analysis.tree.node(1)
    found = views.distribution(explained_run, "label:truck", node.features[0], node=node, bins=10)
    drawn = histogram(found, width=100, height=50)
    assert len(drawn.bars) == 10
    assert min(bar.failures_y for bar in drawn.bars) == pytest.approx(0), "the fullest bin is as high as the box"
    for bar, row in zip(drawn.bars, found.table.to_dict("records"), strict=True):
        whole = row["failures"] + row["successes"]
        assert bar.failures_height * whole == pytest.approx((bar.failures_height + bar.successes_height) * row["failures"])
        assert bar.successes_y + bar.successes_height == pytest.approx(50)
    span = found.table["high"].iloc[-1] - found.table["low"].iloc[0]
    assert drawn.lines == [pytest.approx((found.thresholds[0] - found.table["low"].iloc[0]) / span * 100)]


def test_a_feature_that_never_varies_is_one_bar(planted_run: Run) -> None:
    planted_run.features_path.unlink()
    np.save(planted_run.features_path, np.ones((120, 12), dtype=np.float32))
    explain_run(planted_run, depth=1, workers=1)
    drawn = histogram(views.distribution(planted_run, "label:truck", 0))
    assert len(drawn.bars) == 1
    assert drawn.bars[0].width == drawn.width - 1
