"""The second round of a study about core and spurious features: what the first one marked, shown on further images."""

from __future__ import annotations

from typing import Any

from barlow_core.errors import BarlowError
from barlow_core.run import Run
from barlow_core.views.marks import FILE, study_marks
from barlow_core.wording import count
from study.setup.selection import Selection, item_about, ranking


def marked(run: Run) -> Selection:
    """The features that a first round marked in a run, as items of a second one.

    Each has, beside what every item says of itself, `mark`, `mark_support` of `mark_n` answers, and `mark_simulated`.

    Raises:
        BarlowError: no study marked any feature that is explained in the run.
    """
    run.require("explain")
    table = run.groups()
    known = set(table["group"])
    marks = {place: mark for place, mark in study_marks(run.path).items() if place[0] in known}
    if not marks:
        raise BarlowError(
            f"{run.path} has no marks of a study ({FILE}), and the second round is about them. Write those of the first one: "
            f"barlow study analyze STUDY --marks-to {run.path}"
        )
    n_features = run.features().shape[1]
    items: list[dict[str, Any]] = []
    ranks: dict[str, dict[int, tuple[int, float]]] = {}
    for (group, feature), mark in sorted(marks.items()):
        if group not in ranks:
            ordered = ranking(run, group, n_features)
            ranks[group] = {found: (rank, information) for rank, (found, information) in enumerate(ordered, 1)}
        about = item_about(table, group, feature, *ranks[group].get(feature, (None, None)))
        items.append(
            {name: value for name, value in about.items() if value is not None}
            | {"mark": mark.mark, "mark_support": mark.support, "mark_n": mark.n, "mark_simulated": mark.simulated}
        )
    kinds = [mark.mark for mark in marks.values()]
    note = f"{count(len(items), 'feature')} that a first round marked: {kinds.count('core')} core, {kinds.count('spurious')} spurious."
    return Selection(tuple(items), (note,))
