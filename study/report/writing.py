"""All results as files: one folder, or one archive of it; the same study and settings give the same bytes."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from barlow_core.errors import BarlowError
from study.analysis import Analysis
from study.report import front
from study.report.elements import csv_bytes
from study.report.html import report_html
from study.report.pdf import report_pdf
from study.report.sections import section, sections_of
from study.report.sections.names import NAMES_TABLE

PROVENANCE = "provenance.json"
NAMES = "names.csv"
ITEMS = "items.csv"


def report_files(
    analysis: Analysis, *, pdf: bool = True, progress: Callable[[str], None] | None = None
) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file of a report: report.html, report.pdf, figures/*.png, *.svg and *.csv, tables/*.csv, names.csv
    (the table of names once more, where one looks for what the features are called), items.csv (see `items_csv`), provenance.json.

    Args:
        pdf: also make the PDF.
        progress: is told what comes next.
    """
    say = progress or (lambda _: None)
    made = []
    for name, title in sections_of(analysis.study).items():
        say(title)
        made.append(section(analysis, name))
    for one in made:
        for figure in one.figures:
            yield f"figures/{figure.file_name('csv')}", figure.csv()
            if not figure.reason:
                say(figure.title)
                yield f"figures/{figure.file_name('svg')}", figure.svg()
                yield f"figures/{figure.file_name('png')}", figure.png()
        for table in one.tables:
            yield f"tables/{table.file_name()}", table.csv()
            if table.id == NAMES_TABLE:
                yield NAMES, table.csv()
    yield ITEMS, items_csv(analysis)
    say("report.html")
    yield "report.html", report_html(analysis, made)
    if pdf:
        say("report.pdf")
        yield "report.pdf", report_pdf(analysis, made)
    yield PROVENANCE, provenance(analysis)


def items_csv(analysis: Analysis) -> bytes:
    """What is known of every item that was answered, a row each, for models of one's own: `Analysis.item_table`, after filters and exclusions."""
    return csv_bytes(analysis.item_table.reset_index(), analysis.banner)


def provenance(analysis: Analysis) -> bytes:
    """What the results were made from, as JSON: the study's digest, filters, settings, versions, and the banner."""
    options = asdict(analysis.options)
    made = {
        "study": analysis.study.name,
        "digest": analysis.study.digest,
        "answers": len(analysis.data.answers),
        "simulated": analysis.banner or False,
        "filters": {name: _plain(value) for name, value in asdict(analysis.filters).items()},
        "options": options,
        "excluded_by_rule": sorted(map(str, analysis.excluded_workers)),
        "facts": dict(front.facts(analysis)),
    }
    return (json.dumps(made, indent=1, ensure_ascii=False, default=str) + "\n").encode()


def write_report(
    analysis: Analysis, folder: str | Path, *, pdf: bool = True, progress: Callable[[str], None] | None = None
) -> Path:
    """Write all results into a folder, which takes the place of an earlier report there.

    Args:
        folder: a new one, an empty one, or an earlier report.

    Returns:
        The path of report.html.

    Raises:
        BarlowError: the folder holds something else, or cannot be written.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or (any(target.iterdir()) and not (target / PROVENANCE).is_file())):
        raise BarlowError(f"{target} is neither an empty folder nor an earlier report; nothing was written. Name a new folder.")
    target = target.absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise BarlowError(
            f"{target} cannot be written ({error.strerror or error}). Name a folder that you may write to."
        ) from error
    try:
        for name, content in report_files(analysis, pdf=pdf, progress=progress):
            path = temporary / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        temporary.chmod(0o755)
        # All of it appears at once; a report that was there before goes only then.
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
            os.replace(target, old)
            os.replace(temporary, target)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(temporary, target)
    except OSError as error:
        raise BarlowError(
            f"{target} could not be written ({error.strerror or error}). Free some space or name another folder."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Path(folder) / "report.html"


def archive(analysis: Analysis, *, pdf: bool = True, progress: Callable[[str], None] | None = None) -> bytes:
    """The folder of `write_report` as a zip, with the same bytes for the same study and settings."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in sorted(report_files(analysis, pdf=pdf, progress=progress)):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, content)
    return file.getvalue()


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
