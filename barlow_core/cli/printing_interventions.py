"""What `barlow intervene` and `barlow show RUN interventions` print."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd
from rich.markup import escape

from barlow_core.cli.printing import console, print_table
from barlow_core.interventions import Intervention
from barlow_core.interventions.words import assumptions, headline, what_was_done
from barlow_core.wording import percent, points, points_interval


def print_interventions(found: Sequence[Intervention], *, as_json: bool, in_full: bool = False) -> None:
    """Print interventions: as a table, each of them in sentences below where they are wanted `in_full`, or as JSON."""
    if as_json:
        print(json.dumps([one.info for one in found], indent=1, ensure_ascii=False))
        return
    rows = [
        {
            "group": one.group,
            "failure mode": one.info["target"]["name"],
            "rule": one.info["target"]["rule"],
            "feature": ", ".join(map(str, one.features[:3])) + (" …" if len(one.features) > 3 else ""),
            "verdict": one.verdict,
            "changed": way["way"],
            "images": way["n"],
            "follow": percent(way["rate"], space=" "),
            "random features": percent(way["control_rate"], space=" "),
            "beyond random": f"{points(way['excess'])} ({points_interval(way['excess_low'], way['excess_high'])})",
            "p": f"{way['p']:.3g}",
        }
        for one in found
        for way in one.info["ways"]
    ]
    print_table(pd.DataFrame(rows), limit=len(rows) + 1, empty="Nothing yet. Make one with: barlow intervene RUN --model MODEL")
    terminal = console()
    for one in found if in_full else ():
        terminal.print(f"\n[bold]{escape(one.group)}, {one.info['target']['name']}: {headline(one)}[/bold]")
        terminal.print(f"Why: {one.info['why']}.", markup=False)
        terminal.print(what_was_done(one), markup=False)
        for said in assumptions(one):
            terminal.print(f"- {said}", markup=False)
        terminal.print(f"Tables and pictures: {one.path}", markup=False)
