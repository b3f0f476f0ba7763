"""What people earned, and the payment files by which they are paid."""

from __future__ import annotations

import streamlit as st
from shared.html import plain, stats
from shared.money import amount

from administering.acting import act
from administering.tables import money_column
from barlow_core.wording import count
from study.participants.paying import payment_text
from study.store import StudyStore
from study.store.ledger import PaymentFile
from study.store.settings import PLATFORMS

COLUMNS = {
    "worker": "Worker",
    "pseudonym": "In exports",
    "platform": "From",
    "state": "State",
    "items": "Answers",
    "visits": "Visits paid for",
    "working": "At work",
}
MONEY = {
    "earned": "Earned",
    "bonus": "Bonus",
    "amount": "Together",
    "base": "By the platform",
    "filed": "In files",
    "paid": "Paid",
    "due": "Due",
    "over": "Overpaid",
}
STATES = {"made": "not noted as paid yet", "paid": "paid", "void": "void"}


def show_money(store: StudyStore) -> None:
    """Sums, who is due what, and the payment files with what became of them."""
    money, currency = store.progress().money, store.settings.currency
    facts = [
        ("Earned", money.earned),
        ("Paid by the platform itself", money.base),
        ("In payment files, paid", money.paid),
        ("In payment files, not noted as paid yet", money.filed),
        ("Due, in no file yet", money.due),
        ("Paid beyond what was earned", money.over),
    ]
    st.html(stats([(name, amount(value, currency)) for name, value in facts]))
    table = store.payments()
    if table.empty:
        st.info("Nobody has taken part yet.")
        return
    shown = table.drop(columns=["seconds", "last_visit", "currency"]).astype(dict.fromkeys(MONEY, float))
    st.dataframe(shown, hide_index=True, column_config=COLUMNS | {name: money_column(label) for name, label in MONEY.items()})
    platforms = sorted(set(table["platform"].fillna("link")) & set(PLATFORMS))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("Platform", platforms, key="pay platform", width=200)
        st.button(
            "Put what is due into a new payment file",
            key="make payments",
            on_click=act,
            args=(
                lambda: store.make_payments(st.session_state["pay platform"]),
                "Nothing of it is due any more; the file is below.",
            ),
        )
    for file in reversed(store.payment_files()):
        _show_file(store, file)


def _show_file(store: StudyStore, file: PaymentFile) -> None:
    total = amount(file.total, file.currency)
    st.text(
        f"Payment file {file.number}: {count(len(file.payments), 'payment')}, {total}, {file.platform}, "
        f"made {file.made_at[:16].replace('T', ' ')} UTC, {STATES[file.state]}"
    )
    if file.state != "made":
        return
    with st.container(horizontal=True):
        st.download_button(
            "Download",
            data=payment_text(file).encode(),
            file_name=plain(f"payments-{file.number}-{file.platform}.csv"),
            mime="text/csv",
            on_click="ignore",
            key=f"download {file.number}",
        )
        for label, state in (("It is paid", "paid"), ("Void: it never will be", "void")):
            st.button(
                label,
                key=f"{state} {file.number}",
                on_click=act,
                args=(lambda state=state: store.settle_payments(file.number, state), f"Payment file {file.number} is {state}."),
            )
