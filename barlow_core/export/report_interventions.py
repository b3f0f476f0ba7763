"""The section of a report about interventions: whether the model depends on the feature of a failure mode."""

from __future__ import annotations

from typing import Any

from barlow_core.export.chosen import Chosen
from barlow_core.export.pictures import Embedder, embed_svg
from barlow_core.failure_tree import Node
from barlow_core.interventions import Intervention, interventions
from barlow_core.interventions.charts import dose_charts
from barlow_core.interventions.words import assumptions, headline, intervene_command, way_words, what_was_done
from barlow_core.run import Run
from barlow_core.vega import svg
from barlow_core.wording import count, percent


def interventions_section(run: Run, chosen: Chosen, node: Node, embed: Embedder, *, refitted: bool) -> dict[str, Any]:
    """What the template says: `interventions` on a node, and the `command` that makes one where it can be made."""
    untouched = refitted or not node.features
    return {
        "interventions": [_intervention(one, embed) for one in interventions(run, chosen.group, node.rule)],
        "command": None if untouched else intervene_command("RUN", chosen.group, chosen.depth, node.number),
    }


def _intervention(found: Intervention, embed: Embedder) -> dict[str, Any]:
    """What changing a feature did to the model's predictions: the verdict, a curve a way, pictures before and after."""
    doses, pictures = found.doses(), found.pictures()
    return {
        "features": ", ".join(map(str, found.features)),
        "headline": headline(found),
        "why": found.info["why"],
        "done": what_was_done(found),
        "assumptions": assumptions(found),
        "ways": [
            {
                "name": way_words(way["way"]),
                "charts": [(side, embed_svg(svg(chart))) for side, chart in dose_charts(doses, way["way"]).items()],
                "alt": f"Share of predictions that follow, by the size of the change: {percent(way['rate'])} of {count(way['n'], 'image')} at "
                f"full size, {percent(way['control_rate'])} with random features",
                "images": [
                    {
                        "picture": embed(pair[f"{when}_picture"]),
                        "alt": f"{pair['label']} image {pair['name']} {when} the change",
                        "caption": pair[when] if when == "before" else f"\N{RIGHTWARDS ARROW} {pair[when]}",
                    }
                    for pair in pictures
                    if pair["way"] == way["way"]
                    for when in ("before", "after")
                ],
            }
            for way in found.info["ways"]
        ],
    }
