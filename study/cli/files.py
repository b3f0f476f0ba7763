"""The verbs about files: copies, exports, checks."""

from __future__ import annotations

from pathlib import Path

import click

from barlow_core.cli.shared import example, json_option
from barlow_core.errors import BarlowError
from barlow_core.wording import count
from study.cli.shared import open_store, print_json, say_advice, study_argument, study_path, yes_option


@click.command(epilog=example("barlow study backup runs/mine", "barlow study backup runs/mine --to disk/study.sqlite --pictures"))
@study_argument
@click.option("--to", "target", type=click.Path(path_type=Path), help="A new file. [default: in STUDY.backups]")
@click.option("--pictures", is_flag=True, help="Copy the frozen pictures, too, for a copy on another disk.")
def backup(study: Path, target: Path | None, pictures: bool) -> None:
    """Copy the study while people answer. A withdrawal also deletes from this copy, as long as it stays where it is."""
    from study.setup.frozen_panels import copy_panels, panels_folder

    with open_store(study) as store:
        made = store.backup(target)
        click.echo(f"Copied to {made}")
        if pictures:
            if not copy_panels(store.path, made):
                raise BarlowError(f"No pictures to copy: {panels_folder(store.path)} is not a folder.")
            click.echo(f"Pictures copied to {panels_folder(made)}")


@click.command(epilog=example("barlow study restore runs/mine", "barlow study restore runs/mine study-20250301T120000Z.sqlite"))
@study_argument
@click.argument("backup_path", metavar="[BACKUP]", required=False, type=click.Path(path_type=Path))
@yes_option
def restore(study: Path, backup_path: Path | None, yes: bool) -> None:
    """Bring a study back to a backup, even while it is open.

    Without BACKUP, the backups are listed. What would be lost is said first. The state before is kept as another backup; whoever has
    withdrawn since stays withdrawn, and what was paid stays in the ledger.
    """
    from study.setup.frozen_panels import copy_panels, panels_folder
    from study.store import StudyStore
    from study.store.backup import backup_folder

    path = study_path(study)
    folder = backup_folder(path)
    if backup_path is None:
        _list_backups(path, study)
        return
    if not backup_path.exists() and (folder / backup_path).exists():
        backup_path = folder / backup_path
    if not yes and path.exists():
        _ask_about_loss(path, backup_path)
    with StudyStore.restore(backup_path, path) as store:
        click.echo(f"{store.path} is as it was in {backup_path}: {count(store.progress().answers, 'answer')}.")
    if not panels_folder(path).exists():
        beside = backup_path.parent.with_name(backup_path.parent.name.removesuffix(".backups"))
        if any(copy_panels(source, path) for source in (backup_path, beside) if panels_folder(source).is_dir()):
            click.echo(f"Pictures copied to {panels_folder(path)}")


def _list_backups(path: Path, study: Path) -> None:
    """The names of the backups in the study's own folder, and the places of all others that are still there."""
    from study.store.backup import backup_folder

    folder = backup_folder(path.absolute())
    try:
        with open_store(path) as store:
            found = store.backups()
    except BarlowError:  # perhaps the very reason for going back
        found = sorted(one for one in folder.glob("*") if one.is_file()) if folder.is_dir() else []
    if not found:
        raise BarlowError(f"No backups in {folder}. Name one: barlow study restore {study} BACKUP")
    for one in sorted(found, key=lambda one: (one.parent != folder, one)):
        click.echo(one.name if one.parent == folder else one)


def _ask_about_loss(path: Path, backup_path: Path) -> None:
    """Say which confirmed answers a restore would lose, and ask; nothing is asked where there are none."""
    from study.errors import DamagedError

    try:
        with open_store(path) as store:
            lost = store.would_lose(backup_path)
    except DamagedError:
        return
    if lost.interviewed:
        click.echo(
            f"{backup_path} is of {lost.made_at or 'before anything happened'}. What was said and done since in "
            f"{count(lost.interviewed, 'interview')} would be gone; a copy of the present state stays among the backups."
        )
    if not lost.answers:
        if lost.interviewed:
            click.confirm("Go back all the same?", abort=True)
        return
    paid = f", {lost.paid:,} of them in payment files" if lost.paid else ""
    click.echo(
        f"{backup_path} is of {lost.made_at or 'before anything happened'}. {count(lost.answers, 'confirmed answer')} of "
        f"{count(lost.workers, 'worker')} that came since would be gone{paid}; a copy of the present state stays among the backups."
    )
    click.confirm("Go back all the same?", abort=True)


@click.command(
    epilog=example(
        "barlow study export runs/mine answers.csv", "barlow study export runs/mine all.parquet --everything --real-ids"
    )
)
@study_argument
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--format", "kind", type=click.Choice(["csv", "jsonl", "parquet"]), help="[default: by the ending of the name]")
@click.option(
    "--everything",
    is_flag=True,
    help="Include practice and checks, surplus and discarded answers, told apart by the columns kind and state.",
)
@click.option("--real-ids", is_flag=True, help="The platform's ids instead of pseudonyms. Do not publish these.")
@click.option("--overwrite", is_flag=True, help="Replace an existing export.")
def export(study: Path, target: Path, kind: str | None, everything: bool, real_ids: bool, overwrite: bool) -> None:
    """Write the answers and their codebook.

    As CSV (safe for spreadsheets), JSON lines or Parquet.
    """
    from study.store.assignment import ANSWERED
    from study.store.schema import ITEM_KINDS

    if target.exists() and not overwrite:
        raise BarlowError(f"{target} exists already. Choose another name, or pass --overwrite.")
    kinds, states = (ITEM_KINDS, ANSWERED) if everything else (("item",), ("accepted",))
    with open_store(study) as store:
        for path in store.export(target, kind, pseudonymous=not real_ids, kinds=kinds, states=states):
            click.echo(path)


@click.command(epilog=example("barlow study check runs/mine"))
@study_argument
@json_option
@click.pass_context
def check(ctx: click.Context, study: Path, as_json: bool) -> None:
    """Check that the study is intact.

    Checked are the file, the rules of assignment, the audit trail and the pictures. The exit status is 1 if something is wrong.
    """
    from study.setup import frozen_panels
    from study.setup.frozen_groupings import sealed_folders
    from study.store import library_advice

    with open_store(study) as store:
        found = store.check()
        pictures = {str(item["id"]): item for item in store.item_list() if frozen_panels.has_pictures(item)}
        interviews = store.interviews.tables()
        said = "pictures of " + count(len(pictures), "item")
        if interviews is not None:
            said += f" and {count(len(interviews.groupings), 'grouping')} of interviews"
            frozen = interviews.groupings.set_index("grouping").to_dict("index")
            pictures |= sealed_folders(
                {str(name): {str(key): one for key, one in data.items()} for name, data in frozen.items() if "folder" in data}
            )
        folder = frozen_panels.panels_folder(store.path)
        has_folder = folder.is_dir()
        if has_folder:
            found += frozen_panels.problems(store.path, pictures)
        n_answers = len(store.answers())
    note = (
        f"The pictures are not beside this file, so they were not checked: {folder} is missing."
        if pictures and not has_folder
        else None
    )
    if as_json:
        print_json({"problems": found, "note": note, "sqlite": library_advice()})
    else:
        for problem in found:
            click.echo(problem)
        if not found:
            click.echo(f"All is well: {count(n_answers, 'answer')}, {'no pictures' if note else said}.")
        if note:
            click.echo(f"{note} A copy with pictures: barlow study backup --pictures")
        say_advice()
    if found:
        ctx.exit(1)
