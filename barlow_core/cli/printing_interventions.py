"""What `barlow intervene` and `barlow show RUN interventions` print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.markup import escape

from barlow_core.cli.printing import console, print_table
from barlow_core.interventions import Intervention
from barlow_core.interventions.kinds import ALL
from barlow_core.interventions.words import assumptions, headline, way_words, what_was_done
from barlow_core.wording import percent, points, points_interval

if TYPE_CHECKING:
    from barlow_core.interventions.relying import Relied

ENDS = ("low", "high")
NOTHING = "Nothing yet. Make one with: barlow intervene RUN --model MODEL"


def print_interventions(found: Sequence[Intervention], *, as_json: bool, in_full: bool = False) -> None:
    """Print interventions, each with its verdict and a table of the ways of changing images, or all of them as JSON.

    Args:
        in_full: with what was done and what was assumed.
    """
    if as_json:
        print(json.dumps([one.info for one in found], indent=1, ensure_ascii=False))
        return
    terminal = console()
    if not found:
        terminal.print(NOTHING)
    for number, one in enumerate(found):
        target = one.info["target"]
        if number:
            terminal.print()
        terminal.print(f"[bold]{escape(headline(one))}[/bold]")
        terminal.print(f"{one.group}, {target['name']}: {target['rule']}", markup=False)
        if one.info["ways"]:
            print_table(_ways(one))
        if in_full:
            terminal.print(f"Why: {one.info['why']}.", markup=False)
            terminal.print(what_was_done(one), markup=False)
            for said in assumptions(one):
                terminal.print(f"- {said}", markup=False)
            terminal.print(f"Tables and pictures: {one.path}", markup=False)


def print_relied(found: Relied, *, as_json: bool) -> None:
    """Print the gaps, narrow enough for a terminal of 80 columns; as JSON all of the table. Without a gap, the accuracies under the noise."""
    # Where no class has features of both kinds there is no gap, and the accuracies are what there is to see.
    table = found.accuracy[found.accuracy["class_name"] == ALL] if found.gaps.empty else found.gaps
    if as_json or found.gaps.empty:
        print_table(table, [str(name) for name in table if str(name) not in ENDS], limit=len(table) + 1, as_json=as_json)
    else:
        print_table(pd.DataFrame(map(_gap, table.to_dict("records"))), limit=len(table) + 1)
    of_one_kind = sorted(set(found.accuracy["class_name"]) - {ALL} - set(found.gaps["class_name"]))
    if of_one_kind and not as_json:
        console().print(
            f"No gap, since their features are all core or all spurious: {', '.join(of_one_kind)}. accuracy.csv (--out) has their accuracies.",
            markup=False,
        )


def _gap(row: dict[Any, Any]) -> dict[str, str]:
    def with_interval(name: str) -> str:
        return f"{points(row[name])} ({points_interval(row[f'{name}_low'], row[f'{name}_high'])})"

    return {
        "class": f"{row['class_name']} ({row['n']:,})",
        "model": str(row["model"]),
        "noise on spurious / core": f"{percent(row['core_accuracy'], space=' ')} / {percent(row['spurious_accuracy'], space=' ')} right",
        "core less spurious": f"{with_interval('gap')}; {points(row['random_gap'])} at random places",
        "beyond random": with_interval("beyond_random"),
    }


def _ways(found: Intervention) -> pd.DataFrame:
    """A row a way of changing images; narrow enough for a terminal of 80 columns."""
    return pd.DataFrame(
        {
            "changed": way_words(way["way"]),
            "follow": f"{percent(way['rate'], space=' ')} of {way['n']}",
            "random features": f"{percent(way['control_rate'], space=' ')} (as much: {way['n_as_good']} of {way['n_controls']})",
            "beyond random": f"{points(way['excess'])} ({points_interval(way['excess_low'], way['excess_high'])})",
            "p": f"{way['p']:.2g}",
        }
        for way in found.info["ways"]
    )
