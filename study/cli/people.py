"""The verbs about people: their progress, who may continue, who leaves."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from barlow_core.cli.shared import example, json_option
from barlow_core.wording import count
from study.cli.paying import money_lines
from study.cli.shared import money, open_store, print_json, study_argument, worker_argument, worker_of, yes_option

if TYPE_CHECKING:
    from study.store import StudyStore


@click.command(epilog=example("barlow study status runs/mine", "barlow study status runs/mine --json"))
@study_argument
@json_option
def status(study: Path, as_json: bool) -> None:
    """Show the progress of the study.

    How much is done, how fast, when it will end at this rate, and what it costs.
    """
    with open_store(study) as store:
        done = store.progress()
        reports = int((~store.reports()["done"]).sum())
        if as_json:
            compared = {"conditions": [one._asdict() for one in store.conditions()]} if store.settings.conditions else {}
            print_json(asdict(done) | {"complete": done.complete, "reports": reports, "study": str(store.path)} | compared)
            return
        currency = done.currency
        percent = 100 * done.answers / done.answers_wanted
        lines = [
            ("answers", f"{done.answers:,} of {done.answers_wanted:,} ({percent:.1f} %)"),
            ("items", f"{done.items_complete:,} of {done.items:,} complete, {done.reserved:,} being answered"),
            ("workers", f"{done.workers:,} ({done.workers_blocked:,} blocked, {done.workers_withdrawn:,} withdrawn)"),
            *(
                ("condition", f"{one.name}: {one.answers:,} of {one.wanted:,} answers, by {count(one.workers, 'worker')}")
                for one in store.conditions()
            ),
            ("places", _places(store)),
            ("rate", f"{done.per_hour:,.1f} answers an hour"),
            ("expected end", "done" if done.complete else done.expected_end or "unknown: no answers in the last hour"),
            ("cost", f"{money(done.cost, currency)} so far, about {money(done.cost_expected, currency)} in all, without fees"),
            *money_lines(done.money, currency),
        ]
        if done.hourly_pay is not None:
            lines.append(("hourly pay", f"{money(done.hourly_pay, currency)} (median, time on task)"))
        lines += [("IMPLAUSIBLE", sentence) for sentence in done.implausible]
        if done.answers_surplus:
            lines.append(("surplus", f"{count(done.answers_surplus, 'answer')} came late and are paid, not needed"))
        if done.answers_simulated:
            lines.append(("SIMULATED", f"{count(done.answers_simulated, 'answer')} of these are not by people"))
        lines += _lines_to_look_at(store)
        if reports:
            lines.append(("reports", f"{count(reports, 'problem')} reported by workers: see the admin page"))
        for name, text in lines:
            click.echo(f"{name:>12}  {text}")


def _places(store: StudyStore) -> str:
    if not store.settings.recruiting:
        return "PAUSED: nobody new is let in (barlow study resume)"
    found = store.places()
    return f"{found.free:,} free for new people, {found.taken:,} taken for the moment"


def _lines_to_look_at(store: StudyStore) -> list[tuple[str, str]]:
    """Answers and workers that broke a stated rule."""
    lines = []
    flags = store.flags()
    if len(flags):
        n = flags["rules"].str.split(", ").explode().value_counts()
        kinds = ", ".join(f"{rule} {number:,}" for rule, number in n.items())
        lines.append(("flagged", f"{count(len(flags), 'answer or worker', 'answers or workers')} ({kinds}): see the admin page"))
    if twice := store.duplicates():
        lines.append(
            (
                "duplicates",
                f"{count(len(twice), 'device')} with more than one worker: {'; '.join(', '.join(one) for one in twice[:5])}",
            )
        )
    return lines


@click.command(epilog=example("barlow study pause runs/mine"))
@study_argument
def pause(study: Path) -> None:
    """Let nobody new in.

    Those who take part already go on. It holds at once in every process that serves the study.
    """
    with open_store(study) as store:
        store.configure(recruiting=False)
    click.echo(f"Paused: nobody new is let in. To go on: barlow study resume {study}")


@click.command(epilog=example("barlow study resume runs/mine"))
@study_argument
def resume(study: Path) -> None:
    """Let new people in again after a pause."""
    with open_store(study) as store:
        store.configure(recruiting=True)
        click.echo(f"Open to new people: {_places(store)}.")


@click.command(epilog=example('barlow study block runs/mine 5f3c0a1b2c3d4e5f60718293 --reason "random words" --discard'))
@study_argument
@worker_argument
@click.option("--reason", default="", help="For the audit trail.")
@click.option("--discard", is_flag=True, help="Discard their answers and ask those items again. They are paid all the same.")
def block(study: Path, worker: str, reason: str, discard: bool) -> None:
    """Give a worker no more items. WORKER is the platform's id, or the pseudonym of the exports."""
    with open_store(study) as store:
        name = worker_of(store, worker)
        store.block(name, reason, discard=discard)
    click.echo(f"{worker} is blocked{', and their answers are discarded' if discard else ''}. What was sent is paid.")


@click.command(epilog=example('barlow study reject runs/mine w-3f2a91c07b5e label:tiger:17 --reason "describes another picture"'))
@study_argument
@worker_argument
@click.argument("item", metavar="ITEM")
@click.option("--reason", required=True, help="For the audit trail.")
def reject(study: Path, worker: str, item: str, reason: str) -> None:
    """Let one answer count no more.

    ITEM is asked again, of somebody else. The answer stays in the file and is paid. To take it back: reopen --item.
    """
    with open_store(study) as store:
        store.reject(worker_of(store, worker), item, reason)
    click.echo(f"The answer of {worker} to {item} does not count any more; it is paid.")


@click.command(
    epilog=example(
        "barlow study reopen runs/mine 5f3c0a1b2c3d4e5f60718293",
        "barlow study reopen runs/mine w-3f2a91c07b5e --item label:tiger:17",
    )
)
@study_argument
@worker_argument
@click.option("--item", help="Only this item: a rejected answer counts again, a skipped one is offered to WORKER again.")
def reopen(study: Path, worker: str, item: str | None) -> None:
    """Let a blocked worker go on, or reopen one item.

    Answers that were discarded with them count again where items still need them; those that were rejected one by one do not.
    """
    with open_store(study) as store:
        store.reopen(worker_of(store, worker), item)
    click.echo(f"{worker} may go on." if item is None else f"{item} is open again for {worker}.")


@click.command(epilog=example("barlow study withdraw runs/mine 5f3c0a1b2c3d4e5f60718293"))
@study_argument
@worker_argument
@click.option(
    "--forget", is_flag=True, help="Also replace the id by the pseudonym. Pay first: afterwards nobody can tell who it was."
)
@yes_option
@click.pass_context
def withdraw(ctx: click.Context, study: Path, worker: str, forget: bool, yes: bool) -> None:
    """Delete everything that a worker wrote, for good.

    It goes from the study, its log and its backups. Only the fact that somebody took part remains, and for how many items they are paid. Earlier exports, and copies in other
    places, are out of reach: delete them, or export again.
    """
    with open_store(study) as store:
        name = worker_of(store, worker)
        if not yes:
            click.confirm(f"Delete all answers of {worker} for good?", abort=True)
        done = store.withdraw(name, forget=forget)
    click.echo(
        f"{count(done.answers, 'answer')} of {done.pseudonym} deleted; {count(len(done.cleaned), 'backup')} rewritten without them. "
        "Delete exports that were made before."
    )
    for path, reason in done.out_of_reach.items():
        click.echo(f"Still holds the answers, delete it yourself: {path} ({reason})", err=True)
    if done.out_of_reach:
        ctx.exit(1)
