"""One notation of filters and settings: in an address and on the command line, there and back."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlencode

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from study.analysis import AnalysisOptions, Filters
from study.answers.exclusion import ExclusionRule
from study.answers.notation import FILTERS, SETTINGS, WHO, from_query
from study.answers.tokenization import Wording
from study.cli.analyze import written_options

# No single surrogates, which no address and no command line can hold.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
VALUES = st.lists(TEXTS, max_size=3)
DAYS = st.none() | st.dates()
SHARES = st.none() | st.floats(0, 1)
COUNTS = st.integers(1, 1000)


@st.composite
def filters(draw: st.DrawFn) -> Filters:
    days = sorted(day for day in (draw(DAYS), draw(DAYS)) if day is not None)
    kept = {name: tuple(draw(VALUES)) for name in ("groupings", "classes", "tiers", "platforms")}
    since = days[0] if days else None
    until = days[1] if len(days) == 2 else None
    checks, simulated = draw(st.sampled_from(["all", "passed"])), draw(st.sampled_from(WHO))
    return Filters(**kept, since=since, until=until, checks=checks, simulated=simulated)


OPTIONS = st.builds(
    AnalysisOptions,
    replicates=st.integers(50, 10_000),
    seed=st.integers(0, 1000),
    wording=st.builds(Wording, st.booleans(), st.booleans(), st.booleans()),
    rule=st.builds(ExclusionRule, SHARES, SHARES, SHARES, SHARES, COUNTS, COUNTS, COUNTS),
    exclude=st.booleans(),
    models=st.booleans(),
)


@given(given_filters=filters())
def test_filters_survive_an_address(given_filters: Filters) -> None:
    query = given_filters.to_query()
    assert Filters.from_query(query) == given_filters
    assert Filters.from_query(parse_qs(urlencode(query, doseq=True))) == given_filters


@given(options=OPTIONS)
def test_settings_survive_an_address_but_for_the_resamples_which_it_does_not_carry(options: AnalysisOptions) -> None:
    query = parse_qs(urlencode(options.to_query(), doseq=True))
    found = AnalysisOptions.from_written(from_query(SETTINGS, query))
    usual = AnalysisOptions()
    assert found == AnalysisOptions.from_written({**options.written(), "replicates": usual.replicates, "seed": usual.seed})


@given(given_filters=filters(), options=OPTIONS)
def test_filters_and_settings_survive_the_command_line(given_filters: Filters, options: AnalysisOptions) -> None:
    found: dict[str, Any] = {}

    @click.command()
    @written_options(FILTERS)
    @written_options(SETTINGS)
    def command(**given: Any) -> None:
        found.update(given)

    arguments = [*given_filters.to_arguments(), *options.to_arguments()]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, (arguments, result.output)
    assert Filters(**{one.field: found[one.field] for one in FILTERS}) == given_filters
    assert AnalysisOptions.from_written(found) == options


def test_what_is_usual_is_not_written_and_is_what_filters_and_options_have() -> None:
    assert Filters().to_query() == {}
    assert Filters().to_arguments() == []
    assert {one.field: one.usual for one in FILTERS} == {one.field: getattr(Filters(), one.field) for one in FILTERS}
    assert {one.field: one.usual for one in SETTINGS} == AnalysisOptions().written()
    assert AnalysisOptions.from_written({}) == AnalysisOptions()


def test_every_filter_can_be_written_but_workers_named_by_hand() -> None:
    assert {one.field for one in FILTERS} == set(vars(Filters())) - {"excluded_workers"}
    for table in (FILTERS, SETTINGS):
        assert len({one.key for one in table}) == len({one.option for one in table}) == len(table)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"since": ["yesterday"], "checks": ["maybe"], "simulated": ["nobody"]}, Filters()),
        ({"class": ["a", "a", "b"], "else": ["c"]}, Filters(classes=("a", "b"))),
        ({"since": ["2026-02-02"], "until": ["2026-01-01"]}, Filters(since=date(2026, 1, 1), until=date(2026, 2, 2))),
        ({"simulated": ["simulated", "people"], "checks": []}, Filters(simulated="people")),
    ],
)
def test_what_means_nothing_in_an_address_is_left_out(query: dict[str, list[str]], expected: Filters) -> None:
    assert Filters.from_query(query) == expected
