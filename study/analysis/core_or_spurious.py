"""The results of a study about core and spurious features, computed on demand."""

from __future__ import annotations

from functools import cached_property

import pandas as pd

from study.analysis.options import AnalysisOptions
from study.answers.study_data import StudyData
from study.answers.table import attributes_of_items
from study.core_or_spurious import ANSWERS, CONFIRMED, CORE, SAME, SPURIOUS
from study.statistics import core_or_spurious as statistics

MARK_COLUMNS = ("group", "feature", "mark", "support", "n", "confirmed_by", "asked_again", "simulated")


class Judgements:
    """What people decided, in the first round or in the second.

    Args:
        data: what is looked at.
        question: that decides, "part" or "same".

    Attributes:
        data, question: as given.
    """

    def __init__(self, data: StudyData, question: str, options: AnalysisOptions):
        self.data, self.question, self._options = data, question, options

    @cached_property
    def items(self) -> pd.DataFrame:
        """`study.statistics.core_or_spurious.verdicts` with what is known of the items before it; in the second round also `mark`,
        `mark_support` and `mark_n`, what the first one had decided."""
        data = self.data
        found = statistics.verdicts(data.answers, self.question, data.items["wanted"])
        known = attributes_of_items(data.answers).reindex(found.index)
        first = [name for name in ("mark", "mark_support", "mark_n") if name in data.items] if self.question == SAME else []
        return known.join(data.items[first]).join(found)

    @cached_property
    def shares(self) -> pd.DataFrame:
        return statistics.verdict_shares(self.items, self.question, confidence=self._options.confidence)

    @cached_property
    def confidence(self) -> pd.DataFrame:
        return statistics.confidence_by_answer(self.data.answers, self.question, **self._options.bootstrap)

    @cached_property
    def alphas(self) -> pd.DataFrame:
        found = statistics.alphas(self.data.answers, self.question, confidence=self._options.confidence)
        return pd.DataFrame([one.to_dict() for one in found])

    @cached_property
    def reasons(self) -> pd.DataFrame:
        return statistics.reasons(self.data.answers, self.question)

    @cached_property
    def marks(self) -> pd.DataFrame:
        """What a run is to know, `MARK_COLUMNS`: of the first round all features with a majority, of the second those that it confirmed.

        `support` of `n` answers of the first round are for the mark; `confirmed_by` of `asked_again` of the second one confirm it, <NA> before.
        """
        table = self.items
        known = [name for name in ("group", "feature") if name in table]
        if len(known) < 2 or (self.question == SAME and "mark" not in table):
            return pd.DataFrame(columns=list(MARK_COLUMNS))
        simulated = self.data.answers.groupby("item", sort=False)["simulated"].any().reindex(table.index)
        if self.question == SAME:
            earlier = self.data.items.reindex(table.index)
            simulated |= earlier.get("mark_simulated", pd.Series(False, index=table.index)).fillna(False).astype(bool)
            table = table.assign(confirmed_by=table["support"], asked_again=table["n"])
            table = table[table["verdict"] == CONFIRMED].drop(columns=["support", "n"])
            table = table.rename(columns={"mark_support": "support", "mark_n": "n"})
        else:
            nobody = pd.Series(pd.NA, index=table.index, dtype="Int64")
            table = table.assign(mark=table["verdict"], confirmed_by=nobody, asked_again=nobody)
        table = table[table["mark"].isin([CORE, SPURIOUS])].assign(simulated=simulated)
        counts = dict.fromkeys(("support", "n", "confirmed_by", "asked_again"), "Int64")
        made = table.dropna(subset=known).astype({"feature": "int64", "group": object, **counts})
        return made[list(MARK_COLUMNS)].sort_values(["group", "feature"], ignore_index=True)

    def in_words(self, item: str) -> str | None:
        """ "spurious (object 1, background 3, separate 1)"; None where nobody answered."""
        if item not in self.items.index:
            return None
        row = self.items.loc[item]
        return f"{row['verdict']} ({', '.join(f'{answer} {row[answer]:,}' for answer in self.answers_of)})"

    @property
    def answers_of(self) -> tuple[str, ...]:
        """What can be answered."""
        return ANSWERS[self.question]
