"""The verb that shows what people earned, and makes and settles the files by which they are paid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from barlow_core.cli.shared import example, json_option
from barlow_core.errors import BarlowError
from barlow_core.wording import count
from study.cli.shared import money, open_store, print_frame, study_argument

if TYPE_CHECKING:
    import pandas as pd

    from study.store import StudyStore
    from study.store.ledger import PaymentFile
    from study.store.pay import Totals


@click.command(
    epilog=example(
        "barlow study pay runs/mine",
        "barlow study pay runs/mine --bonus-csv bonus.csv --platform prolific",
        "barlow study pay runs/mine --paid 1",
        "barlow study pay runs/mine --csv payments.csv",
    )
)
@study_argument
@click.option("--csv", "table_path", type=click.Path(path_type=Path), help="Write the complete table to this CSV.")
@click.option(
    "--bonus-csv",
    type=click.Path(path_type=Path),
    help="Put what is due into a new payment file, in the platform's format for bonus payments. What is in it is not due any more.",
)
@click.option(
    "--platform",
    type=click.Choice(["prolific", "mturk", "link"]),
    help="For --bonus-csv. [default: the one that workers came from]",
)
@click.option(
    "--again", type=int, metavar="NUMBER", help="With --bonus-csv: write payment file NUMBER once more instead of a new one."
)
@click.option("--paid", type=int, metavar="NUMBER", help="Note that the platform has paid payment file NUMBER.")
@click.option(
    "--void",
    type=int,
    metavar="NUMBER",
    help="Note that payment file NUMBER was not paid and never will be: its sums are due again.",
)
@json_option
def pay(
    study: Path,
    table_path: Path | None,
    bonus_csv: Path | None,
    platform: str | None,
    again: int | None,
    paid: int | None,
    void: int | None,
    as_json: bool,
) -> None:
    """Show who earned what and what is due; make payment files.

    What is due is what people earned less what the platform itself pays and what stands in earlier payment files. Late, discarded and rejected answers are paid, as are those of people who withdrew; practice items and simulated workers are not. The
    tables contain people's ids: do not publish them.
    """
    if again is not None and bonus_csv is None:
        raise BarlowError("--again writes a payment file once more. Say where, with --bonus-csv FILE.")
    with open_store(study) as store:
        for number, state in ((paid, "paid"), (void, "void")):
            if number is not None:
                settled = store.settle_payments(number, state)
                click.echo(f"Payment file {number} is {state}: {_in_words(settled)}.", err=as_json)
        if table_path is not None:
            _write_table(store, table_path, as_json)
        if bonus_csv is not None:
            _write_bonuses(store, bonus_csv, platform, again, as_json)
        if as_json or (table_path is None and bonus_csv is None and paid is None and void is None):
            _show(store, as_json)


def _write_table(store: StudyStore, path: Path, as_json: bool) -> None:
    from study.participants.paying import write_payments

    payments = store.payments()
    write_payments(path, payments)
    click.echo(f"{count(len(payments), 'worker')} in {path}", err=as_json)


def _write_bonuses(store: StudyStore, path: Path, platform: str | None, again: int | None, as_json: bool) -> None:
    from study.participants.paying import make_payment_file, write_payment_file

    if again is not None:
        known = {file.number: file for file in store.payment_files()}
        if again not in known:
            raise BarlowError(f"There is no payment file {again}; there are: {', '.join(map(str, known)) or 'none yet'}.")
        write_payment_file(path, known[again])
        click.echo(f"Payment file {again} once more in {path}: {_in_words(known[again])}.", err=as_json)
        return
    found = sorted(set(store.payments()["platform"].fillna("link")))
    if platform is None and len(found) != 1:
        raise BarlowError(f"Workers came from {', '.join(found) or 'nowhere yet'}: say for which, with --platform.")
    made = make_payment_file(store, path, platform or found[0])
    if made is None:
        click.echo(
            "Nothing is due that is not in a payment file already, or to somebody who is at work; no file was written.",
            err=as_json,
        )
        return
    click.echo(f"Payment file {made.number} in {path}: {_in_words(made)}.", err=as_json)
    if made.left_out:
        click.echo(f"{count(made.left_out, 'person is', 'people are')} still at work and not in it.", err=as_json)
    click.echo(
        f"Once it is paid: barlow study pay {store.path} --paid {made.number}; if it never is: --void {made.number}", err=as_json
    )


def _in_words(file: PaymentFile) -> str:
    return f"{count(len(file.payments), 'payment')}, {money(file.total, file.currency)} in all"


def _show(store: StudyStore, as_json: bool) -> None:
    payments = store.payments()
    shown: pd.DataFrame = payments if as_json else payments.drop(columns=["seconds", "last_visit", "currency", "working"])
    print_frame(shown, as_json=as_json, empty="Nobody has taken part yet.")
    if as_json or payments.empty:
        return
    for name, text in money_lines(store.progress().money, store.settings.currency):
        click.echo(f"{name:>12}  {text}")
    for file in store.payment_files():
        state = {"made": "not noted as paid yet", "paid": "paid", "void": "void"}[file.state]
        click.echo(
            f"Payment file {file.number} ({file.platform}, {file.made_at[:16].replace('T', ' ')} UTC, {state}): {_in_words(file)}."
        )


def money_lines(money_of: Totals, currency: str) -> list[tuple[str, str]]:
    """Where the money of a study is, as lines with a name."""
    lines = [("earned", money(money_of.earned, currency))]
    if money_of.base:
        lines.append(
            (
                "platform",
                f"{money(money_of.base, currency)} of it paid by the platform itself, for visits that ended with its code",
            )
        )
    if money_of.filed or money_of.paid:
        lines.append(
            ("in files", f"{money(money_of.paid, currency)} paid, {money(money_of.filed, currency)} not noted as paid yet")
        )
    lines.append(("due", f"{money(money_of.due, currency)} in no payment file yet"))
    if money_of.over:
        lines.append(
            ("OVERPAID", f"{money(money_of.over, currency)} more than was earned: see the column over of barlow study pay")
        )
    return lines
