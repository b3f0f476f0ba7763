"""The front door: a study, what is kept of it, and everything computed from it, each on first use."""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
from gensim.models import KeyedVectors

from barlow_core.wording import count
from study.agreement import names
from study.agreement.cosine import agreements_and_pairs
from study.agreement.coverage import Coverage, coverage, words_needed
from study.agreement.descriptions import KINDS
from study.agreement.paper_items import compare_with_paper
from study.agreement.word_vectors import load_vectors
from study.analysis.core_or_spurious import Judgements
from study.analysis.interviews import Interviews
from study.analysis.item_view import ItemView, WorkerView, item_view, worker_view
from study.analysis.options import AnalysisOptions
from study.answers.exclusion import ExclusionRule
from study.answers.filters import Filters
from study.answers.study_data import StudyData
from study.answers.table import PREFERENCES, RATINGS, attributes_of_items
from study.statistics import condition_effects, differences, examples, exclusion_effect, likert, reliability, understanding
from study.statistics.agreement_means import AgreementMeans, levels_of_items
from study.statistics.estimates import Estimate
from study.statistics.latent import LatentVotes, latent_votes
from study.statistics.likert import HeatmapAgainstAttack, ItemsAbove
from study.statistics.ordinal import OrdinalModel, ordinal_model
from study.statistics.overview import Overview, overview

SPLITS = ("grouping", "tier")
SOME_SIMULATED = "Contains simulated data: {n} of {total} answers are not those of people."
ALL_SIMULATED = "Simulated data: no answer is a person's."


class Analysis:
    """All results of a study under some filters and settings.

    Args:
        study: the whole study.
        filters: what is looked at.
        options: how.
        vectors: word vectors: None for those that ship, a file (see `study.agreement.word_vectors.load_vectors`), or vectors that are loaded.
        cache: folder for the kept words of a file; None for the usual one.

    Attributes:
        study, filters, options: as given.

    Raises:
        BarlowError: a filter for something that the study does not know; later, where a result needs something that is wrong.
    """

    def __init__(
        self,
        study: StudyData,
        *,
        filters: Filters | None = None,
        options: AnalysisOptions | None = None,
        vectors: KeyedVectors | str | Path | None = None,
        cache: str | Path | None = None,
    ):
        self.study = study
        self.filters = filters or Filters()
        self.options = options or AnalysisOptions()
        self._vectors, self._cache = vectors, cache
        self.filtered = study.filtered(self.filters)

    # --- what is looked at

    @cached_property
    def exclusions(self) -> pd.DataFrame:
        """Who is, or would be, left out, and what speaks against whom: `excluded`, `signals`; all workers of the study as index."""
        return self.study.excluded(self.options.rule)

    @cached_property
    def excluded_workers(self) -> pd.Index:
        """Whom the rule leaves out, among those with answers in what is looked at."""
        out = self.exclusions.index[self.exclusions["excluded"]]
        return out[out.isin(self.filtered.answers["worker"].unique())]

    @cached_property
    def data(self) -> StudyData:
        """What all results are about: filters applied, and the rule where `options.exclude` says so."""
        return self.filtered.without(self.excluded_workers) if self.options.exclude else self.filtered

    @property
    def n_text(self) -> str:
        """ "5,971 answers of 312 workers about 1,200 items" """
        data = self.data
        return f"{count(len(data.answers), 'answer')} of {count(data.n_workers, 'worker')} about {count(data.n_items, 'item')}"

    @property
    def simulated(self) -> bool:
        return self.data.simulated

    @property
    def banner(self) -> str | None:
        """What must stand wherever these results stand; None where all answers are people's."""
        if not self.simulated:
            return None
        answers = self.data.answers
        return (
            ALL_SIMULATED
            if self.data.all_simulated
            else SOME_SIMULATED.format(n=f"{int(answers['simulated'].sum()):,}", total=f"{len(answers):,}")
        )

    @property
    def rule(self) -> ExclusionRule | None:
        return self.options.rule

    @cached_property
    def vectors(self) -> KeyedVectors:
        """The word vectors, read once."""
        if isinstance(self._vectors, KeyedVectors):
            return self._vectors
        if self._vectors is None:
            return _shipped()
        # Of the whole study, so that another filter finds its words among those that were kept.
        needed = words_needed(self.study.answers, wording=names.FOR_NAMES) | words_needed(
            self.study.answers, wording=self.options.wording
        )
        return load_vectors(self._vectors, words=needed, cache=self._cache)

    @property
    def vectors_text(self) -> str:
        """Which word vectors these are."""
        if self._vectors is None:
            return "the 31,530 Google News Word2Vec vectors that ship with Barlow"
        return "word vectors given by the caller" if isinstance(self._vectors, KeyedVectors) else Path(self._vectors).name

    @property
    def _bootstrap(self) -> dict[str, Any]:
        return dict(self.options.bootstrap)

    @property
    def splits(self) -> tuple[str, ...]:
        """Those of grouping and tier that part the answers: with a filter for one grouping, its part is all there is."""
        return tuple(column for column in SPLITS if self.data.has(column) and self.data.answers[column].nunique() > 1)

    # --- points 1 to 3: overview, ease and confidence, preferences

    @cached_property
    def overview(self) -> Overview:
        return overview(self.data)

    @cached_property
    def item_averages(self) -> dict[str, pd.DataFrame]:
        return {question: likert.item_averages(self.data.answers, question) for question in RATINGS}

    @cached_property
    def above(self) -> dict[tuple[str, ...], ItemsAbove]:
        """Items above the threshold in ease, in confidence, and in both."""
        kinds = (("ease",), ("confidence",), RATINGS)
        return {
            kind: likert.items_above(self.data.answers, kind, threshold=self.options.threshold, **self._bootstrap)
            for kind in kinds
        }

    @cached_property
    def averages(self) -> pd.DataFrame:
        """Mean ratings: `question`, `part` ("all", "grouping", "tier"), `value_of` and the columns of an `Estimate`."""
        return self._parts(RATINGS, lambda question, by: likert.averages(self.data.answers, question, by=by, **self._bootstrap))

    @cached_property
    def levels(self) -> pd.DataFrame:
        """Answers at each level: `question`, `part`, `value_of` and the columns of `study.statistics.likert.level_counts`."""
        return self._parts(RATINGS, lambda question, by: likert.level_counts(self.data.answers, question, by=by))

    @cached_property
    def preferences(self) -> pd.DataFrame:
        """Shares of B, C, both, none: `part`, `value_of` and the columns of `study.statistics.likert.preferences`."""
        table = self._parts(("useful",), lambda _, by: likert.preferences(self.data.answers, by=by, **self._bootstrap))
        return table.drop(columns="question")

    def _parts(self, questions: Any, make: Any) -> pd.DataFrame:
        tables = []
        for question in questions:
            for part in ("all", *self.splits):
                table = make(question, [] if part == "all" else [part])
                of = (
                    ["all answers"] * len(table)
                    if part == "all"
                    else table.pop(part).astype(object).where(lambda column: column.notna(), "not known")
                )
                table.insert(0, "question", question)
                table.insert(1, "part", part)
                table.insert(2, "value_of", list(of))
                tables.append(table)
        return pd.concat(tables, ignore_index=True)

    @cached_property
    def votes(self) -> pd.DataFrame:
        return likert.votes(self.data.answers)

    @cached_property
    def vote_shares(self) -> pd.DataFrame:
        return likert.vote_shares(self.data.answers)

    @cached_property
    def heatmap_against_attack(self) -> HeatmapAgainstAttack:
        return likert.heatmap_against_attack(self.data.answers, **self._bootstrap)

    # --- point 4: descriptions

    @property
    def agreement(self) -> dict[str, pd.DataFrame]:
        """`study.agreement.cosine.item_agreement` of short, long and concatenated descriptions."""
        return self._described[0]

    @cached_property
    def _described(self) -> tuple[dict[str, pd.DataFrame], pd.DataFrame | None]:
        return agreements_and_pairs(self.data.answers, self.vectors, wording=self.options.wording)

    @cached_property
    def agreement_means(self) -> AgreementMeans:
        """Means of agreements over items, of all and by grouping and tier."""
        levels = levels_of_items(self.data.answers, SPLITS)
        return AgreementMeans(self._agreements, self._described[1], levels, **self._bootstrap)

    @cached_property
    def mean_agreement(self) -> dict[str, Estimate]:
        """Mean over items of the agreement, with a two-way interval."""
        return {kind: self.agreement_means.mean(kind) for kind in self.agreement}

    @cached_property
    def coverage(self) -> Coverage:
        return coverage(self.data.answers, self.vectors, wording=self.options.wording)

    @cached_property
    def paper_agreement(self) -> pd.DataFrame:
        """The paper's own items, its numbers against those computed here."""
        vectors = self.vectors if self._vectors is None or isinstance(self._vectors, KeyedVectors) else _shipped()
        return compare_with_paper(vectors, wording=self.options.wording)

    @cached_property
    def easy(self) -> pd.DataFrame:
        return self._easy(difficult=False)

    @cached_property
    def difficult(self) -> pd.DataFrame:
        return self._easy(difficult=True)

    def _easy(self, *, difficult: bool) -> pd.DataFrame:
        options = self.options
        return examples.easy_items(
            self.data.answers,
            self.vectors,
            k=options.k_examples,
            difficult=difficult,
            min_answers=options.min_answers,
            agreement=self._agreements,
            wording=options.wording,
        )

    @cached_property
    def most_votes(self) -> dict[str, pd.DataFrame]:
        """Items with the most votes for C (G.3) and for both (G.4)."""
        return {choice: examples.most_votes(self.data.answers, choice, k=self.options.k_examples) for choice in ("C", "both")}

    # --- points 5 and 6: reliability, workers, differences

    @cached_property
    def alphas(self) -> pd.DataFrame:
        return reliability.alphas(self.data.answers, **self._bootstrap)

    @cached_property
    def worker_table(self) -> pd.DataFrame:
        """`study.answers.quality.worker_quality` of the whole study with `excluded`, `signals`, `answers_kept` (in what is looked at)."""
        table = self.study.quality.join(self.exclusions)
        table["answers_kept"] = self.data.answers.groupby("worker").size().reindex(table.index, fill_value=0)
        return table

    @cached_property
    def effect_of_exclusions(self) -> pd.DataFrame:
        """Every headline number with everybody and without those whom the rule leaves out."""
        return exclusion_effect.effect_of_exclusions(
            self.filtered.answers,
            self.excluded_workers,
            threshold=self.options.threshold,
            vectors=self.vectors,
            wording=self.options.wording,
            described=None if self.options.exclude else (self._agreements, self._described[1]),
            **self._bootstrap,
        )

    @cached_property
    def latent(self) -> LatentVotes | None:
        """Models of workers; None unless `options.models`."""
        return latent_votes(self.data.answers, seed=self.options.seed) if self.options.models else None

    @cached_property
    def _agreements(self) -> dict[str, pd.Series]:
        return {kind: table["agreement"] for kind, table in self.agreement.items()}

    @cached_property
    def differences(self) -> pd.DataFrame:
        return differences.differences(self.data.answers, self._agreements, means=self.agreement_means, **self._bootstrap)

    @cached_property
    def omnibus(self) -> pd.DataFrame:
        return differences.omnibus(self.data.answers, self._agreements)

    @cached_property
    def condition_sizes(self) -> pd.DataFrame:
        return condition_effects.condition_sizes(self.data.answers)

    @cached_property
    def condition_effects(self) -> pd.DataFrame:
        """Every headline number of every two conditions, and their differences."""
        options = {"threshold": self.options.threshold, **self._bootstrap}
        return condition_effects.condition_effects(self.data.answers, self._agreements, self._described[1], **options)

    @cached_property
    def ordinal(self) -> dict[str, OrdinalModel]:
        return {question: ordinal_model(self.data.answers, question, confidence=self.options.confidence) for question in RATINGS}

    # --- points 7 and 8: names, does understanding matter

    @cached_property
    def names(self) -> pd.DataFrame:
        return names.feature_names(self.data.answers, self.vectors)

    @cached_property
    def names_for_run(self) -> pd.DataFrame:
        """Names of features for the failure browser and for rules: `group`, `feature`, `name`, `support`, `n`, `similarity`, `simulated`.

        Items whose group and feature are not known, and those without a name, are left out.
        """
        answers = self.data.of_its_run
        known = [column for column in ("group", "feature") if self.data.has(column)]
        columns = ["group", "feature", "name", "support", "n", "similarity", "simulated"]
        if len(known) < 2:
            return pd.DataFrame(columns=columns)
        simulated = answers.groupby("item", sort=False)["simulated"].any()
        table = attributes_of_items(answers, known).join(self.names).join(simulated)
        table = table[table[["name", *known]].notna().all(axis=1)]
        return table.astype({"feature": "int64", "group": object})[columns].sort_values(["group", "feature"], ignore_index=True)

    @cached_property
    def correlations(self) -> pd.DataFrame:
        return understanding.correlations(self.item_table, **self._bootstrap)

    # --- interviews

    @cached_property
    def interviews(self) -> Interviews | None:
        """The interviews of practitioners in the same file; None where there are none. Of the filters, the one for people holds."""
        return None if self.study.interviews is None else Interviews(self.study.interviews, self.filters.simulated)

    # --- core or spurious

    @cached_property
    def judgements(self) -> Judgements | None:
        """What people decided in a study about core and spurious features; None for other studies."""
        return None if self.study.asks is None else Judgements(self.data, self.study.asks, self.options)

    # --- items

    @cached_property
    def item_table(self) -> pd.DataFrame:
        """One row an answered item (index): attributes; `ease`, `confidence` (averages), `n`; `B`, `C`, `both`, `none` (votes), `vote`, `tied`;
        `short`, `long`, `concatenated` (agreement, Float64); `name`, `support`. Of a study about core and spurious features, `Judgements.items`."""
        if self.judgements is not None:
            return self.judgements.items
        answers = self.data.answers
        groups = answers.groupby("item", sort=False)
        table = attributes_of_items(answers)
        for question in RATINGS:
            table[question] = self.item_averages[question]["average"].reindex(table.index).astype("Float64")
        table["n"] = groups.size()
        voted = self.votes.reindex(table.index)
        for choice in PREFERENCES:
            table[choice] = voted[choice].fillna(0).astype("int64")
        table["vote"], table["tied"] = voted["vote"], voted["tied"].fillna(False).astype(bool)
        for kind in KINDS:
            table[kind] = self.agreement[kind]["agreement"].reindex(table.index)
        return table.join(self.names[["name", "support"]])

    def item(self, item: str) -> ItemView:
        """Everything about one item; see `study.analysis.item_view`."""
        verdict = None if self.judgements is None else self.judgements.in_words(item)
        return item_view(item, self.data.answers, self.study.items, self.names, self.vectors, self.options.wording, verdict)

    def worker(self, worker: str) -> WorkerView:
        """Everything about one worker; see `study.analysis.item_view`."""
        return worker_view(worker, self.worker_table, self.data.answers, has_rule=self.rule is not None)


@lru_cache(maxsize=1)
def _shipped() -> KeyedVectors:
    return load_vectors()
