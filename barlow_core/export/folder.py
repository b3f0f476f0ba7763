"""Everything of a run in one folder: the report, the tables, and where asked for the images of failure modes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from barlow_core.errors import BarlowError
from barlow_core.export.chosen import found, strongest
from barlow_core.export.images import export_images
from barlow_core.export.report import write_report
from barlow_core.export.report_search import has_rules
from barlow_core.export.tables import export_tables
from barlow_core.groups import parse
from barlow_core.run import Run
from barlow_core.views.feature_names import Names, read_names
from barlow_core.views.images import node_images
from barlow_core.views.judgements import Judgements


def export_run(
    run: Run,
    folder: str | Path,
    *,
    report: bool = True,
    formats: Sequence[str] = ("csv",),
    images: str | None = None,
    depth: int | None = None,
    groups: Sequence[str] = (),
    top: int | None = 20,
    title: str | None = None,
    names: Names | None = None,
) -> list[Path]:
    """Write report.html, tables/ and images/ into a folder.

    Args:
        folder: made when needed; files of the same names are replaced, folders of images must be new.
        report: whether to write the report of the strongest failure modes and of what a search found, with the judgements of the run.
        formats: of the tables (`tables.FORMATS`); none for no tables.
        images: how to take the images of each of these failure modes away (`images.WAYS`); None for not at all. They lie in
            images/<group>-<leaf>, with the suffix .txt for "list" and .zip for "zip".
        depth: of the trees; None for the deepest.
        groups, top: which failure modes, see `strongest`.
        title: of the report.
        names: that workers gave to features; None for those in the run folder (`feature_names.read_names`).

    Returns:
        The files and folders that were written.

    Raises:
        BarlowError: nothing to write, a group that was not explained, or a place that cannot be written.
    """
    if not (report or formats or images):
        raise BarlowError("Nothing to write: no report, no tables, no images. Ask for one of them.")
    folder = Path(folder)
    judgements = Judgements(run)
    names = read_names(run.path) if names is None else names
    chosen = strongest(run, depth=depth, groups=groups, top=top)
    written = []
    if report and (chosen or has_rules(run)):
        written.append(write_report(run, folder / "report.html", chosen, judgements=judgements, names=names, title=title))
    if formats:
        written += export_tables(run, folder / "tables", formats=formats, depth=depth, judgements=judgements, names=names)
    if images:
        suffix = {"list": ".txt", "zip": ".zip"}.get(images, "")
        for one, _, node in found(run, chosen):
            place = folder / "images" / f"{parse(run.benchmark, one.group).slug}-{one.leaf}{suffix}"
            written.append(export_images(run, node_images(run, one.group, node), place, how=images).path)
    return written
