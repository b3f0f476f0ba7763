"""The section of a report about interventions: whether the model depends on the feature of a failure mode."""

from __future__ import annotations

from typing import Any

from barlow_core.export.chosen import Chosen
from barlow_core.export.pictures import Embedder, embed_svg
from barlow_core.failure_tree import Node
from barlow_core.interventions import Intervention, interventions
from barlow_core.interventions.charts import dose_charts
from barlow_core.interventions.known_model import known_model
from barlow_core.interventions.words import (
    MODEL,
    assumptions,
    chart_words,
    headline,
    how_to_read,
    intervene_command,
    pair_words,
    way_result,
    way_words,
    what_was_done,
    which_are_shown,
)
from barlow_core.run import Run
from barlow_core.vega import svg


def interventions_section(run: Run, chosen: Chosen, node: Node, embed: Embedder, *, refitted: bool) -> dict[str, Any]:
    """What the template says: `interventions` on a node, and the `command` that makes one where it can be made."""
    untouched = refitted or not node.features
    return {
        "interventions": [_intervention(one, embed) for one in interventions(run, chosen.group, node.rule)],
        "command": None if untouched else intervene_command(run, chosen.group, chosen.depth, node.number, path="RUN"),
        "model": None if known_model(run) else MODEL,
    }


def _intervention(found: Intervention, embed: Embedder) -> dict[str, Any]:
    """What changing a feature did to the model's predictions: the verdict, a curve a way, pictures before and after."""
    doses, pictures = found.doses(), found.pictures()
    return {
        "headline": headline(found),
        "why": found.info["why"],
        "done": what_was_done(found),
        "assumptions": assumptions(found),
        "ways": [
            {
                "name": way_words(way["way"]),
                "words": way_result(way),
                "charts": [
                    (chart_words(way, side), embed_svg(svg(chart))) for side, chart in dose_charts(doses, way["way"]).items()
                ],
                "read": how_to_read(found, way["way"]),
                "shown": which_are_shown([pair for pair in pictures if pair["way"] == way["way"]], way["n"]),
                "pairs": [_pair(pair, embed) for pair in pictures if pair["way"] == way["way"]],
            }
            for way in found.info["ways"]
        ],
    }


def _pair(pair: dict[str, Any], embed: Embedder) -> dict[str, Any]:
    """A picture before and after, and what became of its prediction."""
    images = [
        {
            "picture": embed(pair[f"{when}_picture"]),
            "alt": f"{pair['label']} image {pair['name']} {when} the change",
            "caption": pair[when] if when == "before" else f"\N{RIGHTWARDS ARROW} {pair[when]}",
        }
        for when in ("before", "after")
    ]
    return {"images": images, "words": pair_words(pair)}
