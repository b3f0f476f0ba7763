"""`barlow study analyze`: all results of a study as files, as text on the terminal, or as a page in the browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import click

from barlow_core.cli.shared import example, json_option, missing_option, open_run, quiet_option, serve_options
from barlow_core.errors import BarlowError
from barlow_core.wording import count
from study.answers.notation import FILTERS, REPLICATES, SETTINGS, Written
from study.cli.shared import print_json
from study.core_or_spurious import OPEN

if TYPE_CHECKING:
    from study.analysis import Analysis, AnalysisOptions, Filters, StudyData

_RULES = 10


def written_options(table: Sequence[Written]) -> Callable[[Any], Any]:
    """The options of a command for a table of filters or settings; their values come by field."""

    def add(command: Any) -> Any:
        for one in reversed(table):
            command = click.option(one.option, one.field, help=one.meaning, **_KINDS[one.kind](one))(command)
        return command

    return add


# How click takes each kind of option.
_KINDS: dict[str, Callable[[Written], dict[str, Any]]] = {
    "values": lambda _: {"multiple": True},
    "day": lambda _: {
        "type": click.DateTime(["%Y-%m-%d"]),
        "callback": lambda _ctx, _option, value: None if value is None else value.date(),
    },
    "choice": lambda one: {"type": click.Choice(one.choices), "default": one.usual},
    "flag": lambda one: {"is_flag": True, "callback": lambda _ctx, _option, there: one.flag if there else one.usual},
    "text": lambda _: {"metavar": "TEXT"},
    "number": lambda one: {
        "type": int if one.least is None else click.IntRange(one.least),
        "default": one.usual,
        "show_default": True,
    },
}


@click.command(
    epilog=example(
        "barlow study analyze runs/mine/study.sqlite --out results",
        "barlow study analyze batch.csv --columns item=HITId,worker=WorkerId,ease=Answer.q3 --out results",
        "barlow study analyze runs/mine --exclude --rule 0.8,-,-,-,5,2,2 --out results",
        "barlow study analyze runs/mine --app",
    )
)
@click.argument("study", metavar="STUDY", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write report.html, report.pdf, all figures and all tables into this folder."
)
@click.option("--app", is_flag=True, help="Open the results as a page, which stays up to date while the study runs.")
@written_options(FILTERS)
@written_options(SETTINGS)
@click.option(
    "--vectors",
    type=click.Path(path_type=Path),
    help="Word vectors, such as GoogleNews-vectors-negative300.bin.gz. The default vectors ship with Barlow.",
)
@click.option(
    "--columns",
    help="For a CSV: what each column holds, as item=HITId,worker=WorkerId,... or a JSON file. Usual names are found; "
    "tier= means that there is no tier.",
)
@missing_option
@click.option(
    "--names-to",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Write the names of the features into this run, which then uses them for its failure modes.",
)
@click.option(
    "--marks-to",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Of a study about core and spurious features: write what people marked into this run, for barlow rely and its pages.",
)
@click.option("--pdf/--no-pdf", default=True, help="Also make the PDF.")
@json_option
@quiet_option
@serve_options
def analyze(
    study: Path,
    out: Path | None,
    app: bool,
    names_to: Path | None,
    marks_to: Path | None,
    pdf: bool,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Analyze the answers: ratings, preferences, agreement, names.

    STUDY is a study file, a run folder that holds study.sqlite, or a table of answers that were collected elsewhere: a CSV, Parquet
    or JSON lines (see docs/bringing_your_data.md). Without --out and --app, the findings are printed.
    """
    if app:
        if out is not None or names_to is not None or marks_to is not None or as_json:
            raise BarlowError(
                "--app opens a page. Leave it out to write files (--out), names (--names-to), marks (--marks-to) or JSON (--json)."
            )
        if (given["replicates"], given["seed"]) != (REPLICATES, 0):
            raise BarlowError(
                f"The page computes with {REPLICATES:,} resamples and seed 0. Leave --replicates and --seed out, or write files with --out."
            )
        _serve(study, **given)
        return
    if as_json and (out is not None or names_to is not None or marks_to is not None):
        raise BarlowError(
            "--json prints the findings. Leave it out to write files (--out), names (--names-to) or marks (--marks-to)."
        )
    analysis = _analysis(study, **given)
    if analysis.data.answers.empty and len(analysis.study.answers):
        raise BarlowError(
            f"None of the {count(len(analysis.study.answers), 'answer')} of {study} is left. {analysis.filters.text} Leave a filter out."
        )
    if out is not None:
        from study.report import write_report

        path = write_report(analysis, out, pdf=pdf, progress=None if quiet else lambda what: click.echo(f"  {what}", err=True))
        click.echo(f"{analysis.n_text}: {path}")
        if analysis.banner:
            click.echo(analysis.banner, err=True)
    if names_to is not None:
        _names(analysis, study, names_to)
    if marks_to is not None:
        _marks(analysis, study, marks_to)
    if out is None and names_to is None and marks_to is None:
        _print(analysis, as_json)


def _names(analysis: Analysis, study: Path, run: Path) -> None:
    """Write the names into a run, and print what its failure modes are called now."""
    from barlow_core.views.feature_names import effect_in_words, names_from, rules_in_words, write_names

    names = analysis.names_for_run
    if names.empty:
        raise BarlowError(f"{study} does not say which features its items show, so there are no names for {run}.")
    _require_same_features(analysis, study, run)
    click.echo(f"{count(len(names), 'name')}: {write_names(run, names)}")
    modes = run / "failure_modes.parquet"
    if modes.is_file():
        import pandas as pd

        table = pd.read_parquet(modes)
        rules = table.assign(words=rules_in_words(table, names_from(names))).dropna(subset="words")
        for mode in rules.head(_RULES).to_dict("records"):
            click.echo(f"  {mode['group']}: {effect_in_words(mode['words'], mode['error_rate'], mode['ber'])}")
        if len(rules) > _RULES:
            click.echo(f"  ... and {len(rules) - _RULES:,} more failure modes with names")


def _marks(analysis: Analysis, study: Path, run: Path) -> None:
    """Write what people marked into a run."""
    from barlow_core.views.marks import write_marks

    if analysis.judgements is None:
        raise BarlowError(
            f"{study} did not ask whether features are core or spurious. A study that does: barlow study create {run} --study marks.sqlite "
            "--questionnaire core-or-spurious"
        )
    marks = analysis.judgements.marks
    if analysis.judgements.items["verdict"].eq(OPEN).all():
        raise BarlowError(f"No feature of {study} is decided yet, so there is nothing to mark in {run}. Wait for more answers.")
    _require_same_features(analysis, study, run)
    path = write_marks(run, marks)
    kinds = marks["mark"].value_counts()
    said = ", ".join(f"{int(kinds.get(kind, 0)):,} {kind}" for kind in ("core", "spurious"))
    click.echo(f"{count(len(marks), 'mark')} ({said}) of {count(len(analysis.judgements.items), 'feature')}: {path}")
    if analysis.banner:
        click.echo(analysis.banner, err=True)


def _require_same_features(analysis: Analysis, study: Path, run: Path) -> None:
    """Raise a BarlowError where the features of a run are others than those that people were shown."""
    if analysis.study.extractor is None:
        return
    recorded = open_run(run).recorded("extract")
    if recorded is None or recorded["extractor"]["fingerprint"] != analysis.study.extractor:
        raise BarlowError(
            f"{run} does not describe its images by the network whose features people described in {study}: there, the same number means another feature. "
            "Name the run that the study was made from, or one with the same extractor."
        )


def _serve(study: Path, *, port: int | None, address: str, base_path: str, open_browser: bool, **given: Any) -> None:
    from barlow_core.cli.serve import serve_app
    from study.answers.loading import study_state
    from study.answers.mapping import mapping_text

    study_state(study)  # says what is wrong with the file here, and not in a browser
    mapping = _mapping(study, given["columns"])
    arguments = [str(study.absolute())]
    if given["vectors"]:
        arguments += ["--vectors", str(given["vectors"].absolute())]
    if given["missing"] is not None:
        arguments += ["--missing", given["missing"]]
    if mapping:
        arguments += ["--columns", mapping_text(mapping, {})]  # and no file of them, which is relative to this folder
    serve_app(
        "analyze.py",
        arguments,
        port=port,
        address=address,
        base_path=base_path,
        query=_query(**given),
        open_browser=open_browser,
    )


def _query(**given: Any) -> str:
    """What is kept of the study, as the page's address says it."""
    filters, options = _asked(**given)
    query = filters.to_query() | options.to_query()
    if given["vectors"]:
        query["vectors"] = [str(given["vectors"].absolute())]
    return urlencode(query, doseq=True)


def _asked(**given: Any) -> tuple[Filters, AnalysisOptions]:
    """The filters and settings that the options say."""
    from study.analysis import AnalysisOptions, Filters

    return Filters(**{one.field: given[one.field] for one in FILTERS}), AnalysisOptions.from_written(given)


def _analysis(study: Path, **given: Any) -> Analysis:
    from study.analysis import Analysis

    filters, options = _asked(**given)
    if given["vectors"] is not None and not given["vectors"].is_file():
        raise BarlowError(f"{str(given['vectors'])!r}: no such file. Give a file of word vectors, or none for the built-in ones.")
    data = _opened(study, given["columns"], given["missing"])
    _check_values(filters, data)
    return Analysis(data, filters=filters, options=options, vectors=given["vectors"])


def _mapping(study: Path, columns: str | None) -> dict[str, str] | None:
    """What a person said of the columns, None for nothing."""
    from study.answers.loading import is_table
    from study.answers.mapping import parse_mapping

    mapping = parse_mapping(columns) if columns else None
    if mapping is not None and not is_table(study):
        raise BarlowError(f"{study} is a study file, so it is known what its columns are. Leave --columns out.")
    return mapping


def _opened(study: Path, columns: str | None, missing: str | None) -> StudyData:
    from barlow_core.intake.values import parse_missing
    from study.answers.loading import load_study
    from study.answers.mapping import complete_mapping

    mapping = _mapping(study, columns)
    texts = None if missing is None else parse_missing(missing)
    return load_study(study, None if mapping is None else complete_mapping(study, mapping), texts)


def _check_values(filters: Any, data: StudyData) -> None:
    choices = data.choices()
    for name in ("conditions", "groupings", "classes", "tiers", "platforms"):
        for value in getattr(filters, name):
            if value not in choices[name]:
                known = ", ".join(map(str, choices[name][:20])) or "none"
                raise BarlowError(f"No answer is of {value!r}; the {name} of this study are: {known}.")
    if filters.checks != "all" and not choices["has_checks"]:
        raise BarlowError("This study has no gold or attention checks. Leave --checks-passed out.")


def _print(analysis: Analysis, as_json: bool) -> None:
    from study.report import all_sections

    if as_json:
        print_json(
            {
                "study": analysis.study.name,
                "n": analysis.n_text,
                "filters": analysis.filters.text,
                "simulated": analysis.banner or False,
                "sections": {
                    section.id: {
                        "title": section.title,
                        "lead": section.lead,
                        "numbers": [
                            {"label": one.label, "value": one.value, "interval": one.interval, "n": one.n}
                            for one in section.numbers
                        ],
                        "notes": list(section.notes),
                    }
                    for section in all_sections(analysis)
                },
            }
        )
        return
    if analysis.banner:
        click.secho(analysis.banner, fg="red", bold=True)
    for section in all_sections(analysis):
        click.secho(f"\n{section.title}", bold=True)
        click.echo(section.lead)
        for one in section.numbers:
            aside = "; ".join(part for part in (one.interval, one.n) if part)
            click.echo(f"  {one.label}: {one.value}{f' ({aside})' if aside else ''}")
        for note in section.notes:
            click.secho(f"  {note}", dim=True)
    click.echo("\nAll figures, tables and the text: --out FOLDER. As a page: --app.")
