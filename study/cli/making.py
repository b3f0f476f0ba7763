"""The verbs that make a study and change its settings."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from barlow_core.cli.shared import example, open_run, options, quiet_option, run_argument
from barlow_core.errors import BarlowError
from barlow_core.storage.files import atomic_write
from barlow_core.wording import count
from study.cli.shared import money, open_store, study_argument
from study.core_or_spurious import CORE_OR_SPURIOUS, NAMES, SAME_FEATURE, questionnaire_of, settings_of, texts_with

if TYPE_CHECKING:
    from barlow_core.run import Run
    from study.setup.selection import Selection
    from study.store import StudyStore

selection_options = options(
    click.option(
        "--questionnaire",
        type=click.Choice(NAMES),
        default=NAMES[0],
        show_default=True,
        help="What people are asked: to describe features; whether features are core or spurious; or whether further images of what was marked "
        "in the run show the same.",
    ),
    click.option(
        "--list", "list_path", type=click.Path(path_type=Path), help="Items from a CSV or JSON list instead of the paper's."
    ),
    click.option(
        "--grouping",
        "groupings",
        multiple=True,
        help="Groupings to show; may be given several times. [default: label and prediction; label for core-or-spurious]",
    ),
    click.option(
        "--per-tier", type=click.IntRange(1), default=20, show_default=True, help="Classes per tier (top, middle, bottom)."
    ),
    click.option(
        "--top", type=click.IntRange(1), default=10, show_default=True, help="Features per class, by mutual information."
    ),
    click.option(
        "--practice",
        type=click.IntRange(0),
        default=2,
        show_default=True,
        help="Number of practice items, with feedback, unpaid.",
    ),
    click.option("--attention", type=click.IntRange(0), default=3, show_default=True, help="Number of attention checks."),
    click.option(
        "--condition",
        "named",
        multiple=True,
        metavar="NAME[=RUN]",
        help="Show the same groups from several runs and compare them: a name for this run, and a name and a run for each other one.",
    ),
)
setting_options = options(
    click.option("--answers", "answers_per_item", type=click.IntRange(1), default=5, show_default=True, help="Workers per item."),
    click.option(
        "--platform",
        "platforms",
        multiple=True,
        type=click.Choice(["link", "prolific", "mturk"]),
        help="Where workers come from; may be given several times. [default: link]",
    ),
    click.option("--pay", "pay_per_item", help="Pay for each item. [default: 0.50]"),
    click.option("--base-pay", help="What the platform itself pays for a visit (Prolific's or the HIT's reward). [default: 0]"),
    click.option("--bonus", help="Bonus for everybody who passes all checks. [default: 0]"),
    click.option("--currency", help="[default: USD]"),
    click.option("--minutes", "minutes_per_item", type=float, help="How long an item takes, as workers are told. [default: 2.5]"),
    click.option("--items-per-worker", type=click.IntRange(1), help="Maximum number of items for one worker. [default: all]"),
    click.option(
        "--items-per-visit",
        type=click.IntRange(1),
        help="Maximum number of items per visit, such as an accepted HIT. [default: all]",
    ),
    click.option(
        "--language",
        "languages",
        multiple=True,
        metavar="CODE",
        help="Language of the workers' page (en, de, or one that --texts brings); given several times, the browser chooses. [default: en]",
    ),
    click.option(
        "--design",
        "condition_design",
        type=click.Choice(["within", "between"]),
        help="Whether each worker sees all conditions, or one. [default: within]",
    ),
    click.option(
        "--order",
        "condition_order",
        type=click.Choice(["balanced", "random"]),
        help="Whether conditions are given out as often as each other, or at random. [default: balanced]",
    ),
    click.option("--quiz", is_flag=True, help="Ask questions about the instructions before the first item."),
    click.option("--completion-code", help="The code that Prolific shows for this study."),
    click.option("--contact", help="How workers reach you; shown on every page."),
    click.option("--seed", type=int, help="Seed of the random order of items. [default: 0]"),
)


@click.command(
    epilog=example(
        "barlow study create runs/mine --platform prolific --completion-code C1A2B3",
        "barlow study create runs/mine --study pilot.sqlite --per-tier 1 --top 3 --answers 2 --invites 6",
        "barlow study create runs/mine --list items.csv --settings settings.toml",
        "barlow study create runs/robust --condition robust --condition standard=runs/standard --design between",
        "barlow study create runs/mine --study marks.sqlite --questionnaire core-or-spurious --per-tier 3 --top 5",
    )
)
@run_argument
@click.option("--study", "path", type=click.Path(path_type=Path), help="The study file to create. [default: RUN/study.sqlite]")
@selection_options
@setting_options
@click.option(
    "--invites", type=click.IntRange(0), default=0, help="Make this many invite codes, one per person, for the plain link."
)
@click.option(
    "--settings",
    "settings_path",
    type=click.Path(path_type=Path),
    help="A JSON or TOML file with any settings: consent, instructions, examples, questionnaire, ...",
)
@click.option(
    "--texts",
    "text_paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A TOML file with other texts for a language; barlow study texts prints one to start from.",
)
@click.option("--images-per-panel", type=click.IntRange(1), help="[default: as in the panels of the run]")
@click.option("--steps", type=click.IntRange(0), help="Steps of the feature attack. [default: as in the panels of the run]")
@click.option("--device", help="cpu, cuda, cuda:1, mps; for missing panels. [default: a GPU if there is one]")
@click.option("--dry-run", is_flag=True, help="Only print what the study would be.")
@quiet_option
def create(
    run_path: Path,
    path: Path | None,
    questionnaire: str,
    list_path: Path | None,
    groupings: tuple[str, ...],
    per_tier: int,
    top: int,
    practice: int,
    attention: int,
    named: tuple[str, ...],
    invites: int,
    settings_path: Path | None,
    text_paths: tuple[Path, ...],
    images_per_panel: int | None,
    steps: int | None,
    device: str | None,
    dry_run: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Create the study of a run.

    Chooses items, makes missing panels, keeps copies of them beside the study, and writes its file.

    By default the items are those of the paper: for both groupings, the 20 classes with the highest error rate, the 20 in the middle
    and the 20 with the lowest, and for each the 10 features with the highest mutual information with failure. Making panels takes
    long; what is finished is kept, and the same command resumes from there.

    docs/core_or_spurious.md is about the questionnaires core-or-spurious and same-feature.
    """
    from study.participants.platforms import new_invite_codes
    from study.setup.conditions import in_conditions, with_checks_of_all
    from study.setup.making import make_study
    from study.setup.second_round import marked
    from study.setup.selection import GROUPINGS, from_list, select, with_checks
    from study.store import StudySettings
    from study.store.admin_secret import hashed, new_secret

    run = open_run(run_path)
    path = run_path / "study.sqlite" if path is None else path
    if path.exists():
        raise BarlowError(f"{path} exists already. A study is never replaced: choose another path with --study, or move it away.")
    values = _read_settings(settings_path) if settings_path is not None else {}
    values |= {name: value for name, value in given.items() if value not in (None, ()) and not _is_default(name, values)}
    _add_texts(values, text_paths)
    values = settings_of(questionnaire, values)
    if isinstance(asked := values.get("quiz"), bool):  # the option, and not a quiz of the file of settings
        values["quiz"] = _quiz(values) if asked else ()
    if invites:
        values["invite_codes"] = [*values.get("invite_codes", ()), *new_invite_codes(invites)]
    settings = StudySettings.make(values)
    conditions = _conditions(run, named, list_path)
    if list_path is not None:
        chosen = from_list(run, list_path)
    elif questionnaire == SAME_FEATURE:
        chosen = marked(run)
    else:
        groupings = groupings or (("label",) if questionnaire == CORE_OR_SPURIOUS else GROUPINGS)
        chosen = select(run, groupings=groupings, per_tier=per_tier, top=top)
    kinds = {item.get("kind", "item") for item in chosen.items}
    checks: dict[str, Any] = {
        "practice": 0 if "practice" in kinds else practice,
        "attention": 0 if kinds & {"gold", "attention"} else attention,
        "questionnaire": settings.questionnaire,
        "seed": settings.seed,
        "languages": {name: (settings.texts_in(name), settings.in_language(name).questionnaire) for name in settings.languages},
    }
    if conditions is None:
        chosen = with_checks(run, chosen, **checks)
    else:
        chosen = with_checks_of_all(conditions, in_conditions(conditions, chosen), design=settings.condition_design, **checks)
    _say_selection(chosen, settings)
    if dry_run:
        return
    secret = None
    if "admin_hash" not in values:
        secret = new_secret()
        values["admin_hash"] = hashed(secret)
    with make_study(
        run,
        path,
        selection=chosen,
        conditions=conditions,
        images_per_panel=images_per_panel,
        steps=steps,
        device=device or _default_device(),
        progress=not quiet,
        **values,
    ) as store:
        _say_made(store, secret)


def _conditions(run: Run, named: tuple[str, ...], list_path: Path | None) -> dict[str, Run] | None:
    """The runs that conditions show, by name, this one first; None where no condition is named."""
    if not named:
        return None
    if list_path is not None:
        raise BarlowError(
            "--condition shows the same groups of several runs, and --list chooses for one. For conditions within one run, give the list a column condition."
        )
    pairs = [name.partition("=") for name in named]
    here = [name for name, _, path in pairs if not path]
    names = [name.strip() for name, _, _ in pairs]
    if len(here) != 1 or len(names) < 2 or len(set(names)) < len(names) or not all(names):
        raise BarlowError(
            f"--condition names this run once and every other run once, as in --condition robust --condition standard=runs/standard; found {', '.join(named)}."
        )
    others = {name.strip(): open_run(Path(path)) for name, _, path in pairs if path}
    return {here[0].strip(): run, **others}


def _add_texts(values: dict[str, Any], paths: tuple[Path, ...]) -> None:
    """Put files of texts into settings; a file is for one of the languages of the study, or gives it its only one."""
    from study.texts import read_texts

    read = dict(read_texts(path) for path in paths)
    if not read:
        return
    values["texts"] = {**values.get("texts", {}), **read}
    values.setdefault("languages", tuple(read))


def _quiz(values: dict[str, Any]) -> Any:
    """The questions about the instructions, in the first language of a study."""
    from study.texts import texts_of

    first = next(iter(values.get("languages", ())), "en")
    quiz = texts_of(first, values.get("texts", {}).get(first, {})).study.get("quiz")
    if quiz is None:
        raise BarlowError(f"There is no quiz in {first!r}. Put one below [study] into the file of texts: --texts FILE.")
    return quiz


def _is_default(name: str, from_file: dict[str, Any]) -> bool:
    """Whether an option was left out on the command line, while the file of settings has a value for it."""
    source = click.get_current_context().get_parameter_source(name)
    return name in from_file and source in (None, click.core.ParameterSource.DEFAULT)


def _default_device() -> str:
    from barlow_core import extractors

    return extractors.default_device()


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise BarlowError(
            f"{path} cannot be read as settings ({error}). Expected JSON, or TOML in a file that ends in .toml."
        ) from None
    if not isinstance(values, dict):
        raise BarlowError(f'{path} holds no settings. Expected names with values, such as {{"pay_per_item": "0.50"}}.')
    return values


def _say_selection(chosen: Selection, settings: Any) -> None:
    kinds = [str(item.get("kind", "item")) for item in chosen.items]
    n = kinds.count("item")
    others = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("practice", "attention", "gold") if kind in kinds)
    wanted = sum(
        int(i.get("answers_per_item", settings.answers_per_item)) for i, k in zip(chosen.items, kinds, strict=True) if k == "item"
    )
    click.echo(f"{count(n, 'item')}{f' ({others} besides)' if others else ''}, {count(wanted, 'answer')} wanted.")
    for note in chosen.notes:
        click.echo(f"  {note}")
    cost = settings.pay * wanted
    click.echo(
        f"Pay: about {money(cost, settings.currency)} for items, checks and fees of the platform not counted; "
        f"{money(settings.hourly_pay, settings.currency)} an hour at {settings.minutes_per_item:g} minutes an item."
    )


def _say_made(store: StudyStore, secret: str | None) -> None:
    from study.participants.platforms import missing

    click.echo(f"The study is {store.path}, its pictures are in {store.path}.panels")
    if secret is not None:
        click.echo(f"Secret of the admin page, shown only now: {secret}")
    if codes := store.settings.invite_codes:
        click.echo(f"{count(len(codes), 'invite code')}; barlow study serve prints the links to send.")
    for sentence in missing(store.settings):
        click.echo(f"Still missing: {sentence}")
    click.echo(f"Look at it as a worker: barlow study preview {store.path}")


@click.command(
    "set",
    epilog=example(
        "barlow study set runs/mine completion_code=C1A2B3 contact=study@example.org",
        "barlow study set runs/mine items_per_worker=30 --invites 20",
    ),
)
@study_argument
@click.argument("values", metavar="NAME=VALUE", nargs=-1)
@click.option("--invites", type=click.IntRange(0), default=0, help="Add this many new invite codes.")
@click.option(
    "--texts", "text_paths", multiple=True, type=click.Path(path_type=Path), help="A file of other texts for a language."
)
def set_command(study: Path, values: tuple[str, ...], invites: int, text_paths: tuple[Path, ...]) -> None:
    """Change settings, even while people answer.

    Texts, limits, codes and platforms; without NAME=VALUE, all settings are shown.
    """
    from study.participants.platforms import new_invite_codes
    from study.store.settings import CHANGEABLE, SECRET
    from study.texts import read_texts

    with open_store(study) as store:
        changes = dict(_pair(value) for value in values)
        if text_paths:
            given = dict(read_texts(path) for path in text_paths)
            changes["texts"] = {**store.settings.texts, **texts_with(questionnaire_of(store.settings.questionnaire), given)}
        if changes:
            store.configure(**changes)
        if invites:
            codes = new_invite_codes(invites)
            store.invite(codes)
            click.echo("\n".join(codes))
        if changes or invites:
            changed = [*changes, *(["invite_codes"] if invites and "invite_codes" not in changes else [])]
            click.echo(f"Changed: {', '.join(changed)}", err=bool(invites))
            return
        for name, row in store.settings.rows().items():
            text = f"({len(json.loads(row))})" if name in SECRET else row
            click.echo(f"{name}{'' if name in CHANGEABLE else ' (fixed)'} = {text if len(text) <= 100 else text[:97] + '...'}")


def _pair(text: str) -> tuple[str, Any]:
    from study.store.written_settings import parse

    name, equals, value = text.partition("=")
    if not equals:
        raise BarlowError(f"{text!r} is not a setting with a value. Expected NAME=VALUE, such as items_per_worker=30.")
    return name, parse(name, value)


@click.command(
    epilog=example(
        "barlow study texts",
        "barlow study texts --language de --out mine.toml",
        "barlow study texts --questionnaire core-or-spurious",
    )
)
@click.option("--language", default="en", show_default=True, metavar="CODE", help="One of those that Barlow has.")
@click.option(
    "--questionnaire",
    type=click.Choice(NAMES),
    default=NAMES[0],
    show_default=True,
    help="Of another one than the first: what its studies say otherwise.",
)
@click.option("--out", type=click.Path(path_type=Path), help="A file to write them to, instead of printing them.")
def texts(language: str, questionnaire: str, out: Path | None) -> None:
    """Print the texts of the workers' page, as a file to change.

    Change what you like, leave the rest out, and give the file to barlow study create --texts.
    """
    from study.texts import shipped_file

    found = shipped_file(language, None if questionnaire == NAMES[0] else questionnaire).read_text(encoding="utf-8")
    if out is None:
        click.echo(found, nl=False)
        return
    if out.exists():
        raise BarlowError(f"{out} exists already, perhaps with texts that you changed. Choose another path.")
    with atomic_write(out) as temporary:
        temporary.write_text(found, encoding="utf-8")
    click.echo(f"Texts of the workers' page: {out}")
