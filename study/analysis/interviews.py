"""The interviews of a study under the filter for people and simulations, and what an analysis says of them everywhere."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from barlow_core.wording import count
from study.statistics.interviews import taking_part
from study.store.interviews.frames import InterviewTables

SOME = "Contains simulated data: {n} of {total} participants are not people."
ALL = "Simulated data: no participant is a person."


class Interviews:
    """What results about interviews are about.

    Args:
        found: all of them.
        who: "all", "people" or "simulated", as in `study.answers.filters.Filters`. The sums of the closing survey have no names, so they
            cannot follow: with both kinds among the participants, they are left out unless all are wanted.

    Attributes:
        tables: what is left.
        mixed: the sums of the survey were left out.
    """

    def __init__(self, found: InterviewTables, who: str = "all"):
        people = found.participants
        both = bool(people["simulated"].any()) and not bool(people["simulated"].all())
        self.mixed = False
        if who == "all":
            self.tables = found
            return
        wanted = people["simulated"] == (who == "simulated")
        self.tables = _of(found, set(people.loc[wanted, "participant"]))
        if both or not wanted.any():
            self.mixed = both
            self.tables = replace(self.tables, statements=found.statements.iloc[:0], n_opinions=0, n_waiting=0)

    @property
    def n(self) -> int:
        """How many have registered."""
        return len(taking_part(self.tables))

    @property
    def n_text(self) -> str:
        """ "14 participants, 12 sessions at their end" """
        ended = int((self.tables.participants["state"] == "finished").sum())
        return f"{count(self.n, 'participant')}, {count(ended, 'session')} at {'its' if ended == 1 else 'their'} end"

    @property
    def banner(self) -> str | None:
        """What must stand wherever these results stand; None where all participants are people."""
        simulated = taking_part(self.tables)["simulated"]
        if not simulated.any():
            return None
        return ALL if simulated.all() else SOME.format(n=int(simulated.sum()), total=len(simulated))


def _of(found: InterviewTables, names: Collection[str]) -> InterviewTables:
    """The tables of some participants."""
    tables = {
        name: table[table["participant"].isin(list(names))]
        for name in ("participants", "assignments", "features", "actions", "quotes", "codings")
        for table in [getattr(found, name)]
    }
    return replace(found, **tables)
