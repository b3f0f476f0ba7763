"""What is put into payment files is due no more, whatever happens to the file; and all sums agree to the cent."""

from __future__ import annotations

import csv
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from fake_clock import FakeClock

from barlow_core.errors import BarlowError
from study.participants.paying import make_payment_file, write_payment_file, write_payments
from study.store import StudyStore
from study.store.pay import Totals

Make = Callable[..., StudyStore]
PID = "5f3c0a1b2c3d4e5f60718293"
STUDY = "60b1c2d3e4f5061728394a5b"
TURKER = "A1B2C3D4E5"
ITEMS = [f"i{n}" for n in range(30)]


def work(store: StudyStore, worker: str, answers: dict, n: int, visit: str | None = None) -> None:
    for _ in range(n):
        item = store.claim(worker, visit=visit)
        assert item is not None
        store.submit(worker, item.id, answers, item.token)


def row(store: StudyStore, worker: str) -> dict[str, str]:
    table = store.payments().set_index("worker")
    return {name: f"{table.loc[worker, name]:.2f}" for name in ("amount", "base", "filed", "paid", "due", "over")}


def balance(store: StudyStore) -> Totals:
    """The totals, which always balance."""
    money = store.progress().money
    assert money.earned + money.over == money.base + money.filed + money.paid + money.due
    return money


def test_a_second_file_holds_only_what_was_earned_since(make_store: Make, answers: dict) -> None:
    store = make_store(items=ITEMS)
    work(store, "anna", answers, 3)
    first = store.make_payments("link")
    assert first is not None
    assert [(one.worker, one.amount, one.items) for one in first.payments] == [("anna", Decimal("1.50"), ("i0", "i1", "i2"))] or (
        len(first.payments[0].items) == 3 and first.total == Decimal("1.50")
    )
    assert store.make_payments("link") is None
    work(store, "anna", answers, 2)
    work(store, "ben", answers, 1)
    second = store.make_payments("link")
    assert second is not None
    assert {one.worker: (str(one.amount), len(one.items)) for one in second.payments} == {"anna": ("1.00", 2), "ben": ("0.50", 1)}
    assert not set(first.payments[0].items) & set(second.payments[0].items)
    assert balance(store) == Totals(*map(Decimal, ("3.00", "0.00", "3.00", "0.00", "0.00", "0.00")))


def test_a_file_is_paid_or_void_and_stays_that(make_store: Make, answers: dict) -> None:
    store = make_store(items=ITEMS)
    work(store, "anna", answers, 2)
    for _ in range(2):
        assert store.make_payments("link") is not None
        assert row(store, "anna")["due"] == "0.00"
        store.settle_payments(len(store.payment_files()), "void")
        assert row(store, "anna")["due"] == "1.00"
    last = store.make_payments("link")
    assert last is not None
    store.settle_payments(last.number, "paid")
    store.settle_payments(last.number, "paid")  # said twice is said once
    assert row(store, "anna") == {
        "amount": "1.00",
        "base": "0.00",
        "filed": "0.00",
        "paid": "1.00",
        "due": "0.00",
        "over": "0.00",
    }
    with pytest.raises(BarlowError, match="Payment file 3 is paid since"):
        store.settle_payments(3, "void")
    with pytest.raises(BarlowError, match="no payment file 9; the study has 3 payment files"):
        store.settle_payments(9, "paid")
    with pytest.raises(BarlowError, match='becomes "paid" or "void"'):
        store.settle_payments(3, "made")
    with pytest.raises(BarlowError, match="for one of link, prolific, mturk"):
        store.make_payments("paypal")
    assert [file.state for file in store.payment_files()] == ["void", "void", "paid"]
    assert len(store.events().query("kind == 'payment'")) == 6
    assert store.check() == []


def test_tokens_stand_for_a_payment_and_not_for_its_amount(make_store: Make, answers: dict) -> None:
    store = make_store(items=ITEMS)
    work(store, "anna", answers, 1)
    first = store.make_payments("link")
    work(store, "anna", answers, 1)
    second = store.make_payments("link")
    assert first is not None
    assert second is not None
    # The same amount to the same person: another payment all the same.
    assert first.payments[0].amount == second.payments[0].amount
    assert first.payments[0].token != second.payments[0].token
    assert [file.payments[0].token for file in store.payment_files()] == [first.payments[0].token, second.payments[0].token]
    assert len(first.payments[0].token) <= 64, "what MTurk takes as a UniqueRequestToken"


def test_cents_are_not_lost_between_files(make_store: Make, answers: dict) -> None:
    """A third of a cent an answer: each file pays up to the rounded total, so that the files add up to it."""
    store = make_store(items=ITEMS, pay_per_item="0.333")
    for _ in range(7):
        work(store, "anna", answers, 1)
        store.make_payments("link")
    assert sum(file.total for file in store.payment_files()) == Decimal("2.33")  # 7 x 0.333 = 2.331
    assert balance(store).due == 0


def test_whoever_is_at_work_is_in_the_next_file(make_store: Make, answers: dict, clock: FakeClock) -> None:
    store = make_store(items=ITEMS)
    work(store, "anna", answers, 1)
    work(store, "ben", answers, 1)
    store.claim("ben")
    first = store.make_payments("link")
    assert first is not None
    assert ([one.worker for one in first.payments], first.left_out) == (["anna"], 1)
    clock.advance(7200)
    store.expire()
    second = store.make_payments("link")
    assert second is not None
    assert [one.worker for one in second.payments] == ["ben"]


def test_a_bonus_that_was_paid_stays_and_one_that_was_not_goes(make_store: Make, answers: dict) -> None:
    checks = [{"id": f"check{n}", "kind": "attention", "expected": {"useful": "B"}} for n in range(8)]
    store = make_store(items=[*ITEMS, *checks], checks_every=1, bonus="1.00", bonus_after=2, max_failed_checks=None)
    for worker in ("anna", "ben"):
        work(store, worker, answers, 4)
    assert row(store, "anna")["amount"] == "3.00"
    store.block("ben")
    assert row(store, "ben")["amount"] == "2.00"
    assert store.make_payments("link") is not None
    work(store, "anna", answers | {"useful": "none"}, 4)
    assert row(store, "anna") == {
        "amount": "5.00",
        "base": "0.00",
        "filed": "3.00",
        "paid": "0.00",
        "due": "2.00",
        "over": "0.00",
    }
    balance(store)


def test_what_was_paid_stays_written_when_somebody_withdraws(make_store: Make, answers: dict) -> None:
    store = make_store(items=ITEMS)
    work(store, PID, answers, 2, visit="s1")
    made = store.make_payments("link")
    assert made is not None
    store.settle_payments(made.number, "paid")
    store.withdraw(PID, forget=True)
    ((line,),) = (file.payments for file in store.payment_files())
    assert (line.worker, line.amount, line.visit) == (line.pseudonym, Decimal("1.00"), None)
    assert balance(store).due == 0
    assert PID.encode() not in store.path.read_bytes()


def test_the_files_for_the_platforms(make_store: Make, answers: dict, tmp_path: Path) -> None:
    store = make_store(items=ITEMS, base_pay="0.50")
    for worker, platform in ((PID, "prolific"), (TURKER, "mturk"), ("anna-1234", None)):
        store.register(worker, platform=platform)
        work(store, worker, answers, 3, visit="v1")
        store.finish(worker, "complete", visit="v1")
    made = make_payment_file(store, tmp_path / "prolific.csv", "prolific")
    assert made is not None
    assert (tmp_path / "prolific.csv").read_text() == f"{PID},1.00\n"
    make_payment_file(store, tmp_path / "mturk.csv", "mturk")
    with (tmp_path / "mturk.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["WorkerId"], line["AssignmentId"], line["BonusAmount"]) == (TURKER, "v1", "1.00")
    make_payment_file(store, tmp_path / "link.csv", "link")
    assert (tmp_path / "link.csv").read_text().splitlines()[1].startswith("anna-1234,1.50,USD,")
    write_payments(tmp_path / "all.csv", store.payments())
    assert (tmp_path / "all.csv").read_text().count("\n") == 4
    for name in ("prolific.csv", "mturk.csv", "link.csv", "all.csv"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
    # A file that was lost is written once more, with the same tokens; one that is paid is not.
    write_payment_file(tmp_path / "again.csv", store.payment_files()[1])
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "mturk.csv").read_text()
    with pytest.raises(BarlowError, match="nobody should pay it now"):
        write_payment_file(tmp_path / "paid.csv", store.settle_payments(made.number, "paid"))


def test_a_file_that_cannot_be_written_leaves_everything_due(make_store: Make, answers: dict, tmp_path: Path) -> None:
    store = make_store(items=ITEMS)
    work(store, "anna", answers, 2)
    (tmp_path / "file").touch()
    with pytest.raises(BarlowError, match="could not be written"):
        make_payment_file(store, tmp_path / "file" / "pay.csv", "link")
    assert row(store, "anna")["due"] == "1.00"
    with pytest.raises(BarlowError, match="exists already, perhaps with payments that are not made yet"):
        make_payment_file(store, tmp_path / "file", "link")
    assert [file.state for file in store.payment_files()] == ["void"]
    assert make_payment_file(store, tmp_path / "pay.csv", "link") is not None
    assert make_payment_file(store, tmp_path / "more.csv", "link") is None
    assert not (tmp_path / "more.csv").exists()


def test_prolific_pays_a_study_once_however_often_somebody_comes(make_store: Make, answers: dict) -> None:
    store = make_store(items=ITEMS, base_pay="2.00", items_per_worker=8)
    store.register(PID, platform="prolific")
    for session in ("s1", "s2"):
        work(store, PID, answers, 4, visit=session)
        store.finish(PID, "complete", visit=session, reward=STUDY)
    assert row(store, PID) == {"amount": "4.00", "base": "2.00", "filed": "0.00", "paid": "0.00", "due": "2.00", "over": "0.00"}
    store.finish(PID, "complete", visit="s3", reward="another study of that account")
    assert row(store, PID)["base"] == "4.00"


def test_partial_work_is_due_as_a_bonus_and_not_paid_as_a_reward(make_store: Make, answers: dict) -> None:
    store = make_store(items=ITEMS, base_pay="2.00", items_per_worker=4)
    store.register(PID, platform="prolific")
    work(store, PID, answers, 1, visit="s1")
    assert store.standing(PID, visit="s1").if_stopped == "partial"
    assert store.finish(PID, "partial", visit="s1", reward=STUDY) == "partial"
    assert row(store, PID) == {"amount": "0.50", "base": "0.00", "filed": "0.00", "paid": "0.00", "due": "0.50", "over": "0.00"}
    # They come back and do the rest: paid the usual way, as nothing was put into a file meanwhile ...
    work(store, PID, answers, 3, visit="s1")
    assert store.standing(PID, visit="s1").outcome == "complete"
    assert store.finish(PID, "complete", visit="s1", reward=STUDY) == "complete"
    assert row(store, PID)["base"] == "2.00"
    assert store.finish(PID, "partial", visit="s1", reward=STUDY) == "complete", "Prolific has heard of the first code"
    assert balance(store).over == 0


def test_whoever_was_paid_a_bonus_for_part_of_it_gets_no_code_for_the_whole(make_store: Make, answers: dict) -> None:
    store = make_store(items=ITEMS, base_pay="2.00", items_per_worker=4)
    store.register(PID, platform="prolific")
    work(store, PID, answers, 1, visit="s1")
    store.finish(PID, "partial", visit="s1", reward=STUDY)
    assert store.make_payments("prolific") is not None
    work(store, PID, answers, 3, visit="s1")
    assert store.finish(PID, "complete", visit="s1", reward=STUDY) == "settled"
    assert row(store, PID) == {"amount": "2.00", "base": "0.00", "filed": "0.50", "paid": "0.00", "due": "1.50", "over": "0.00"}


def test_a_second_hit_that_is_sent_in_empty_is_not_paid(make_store: Make, answers: dict) -> None:
    store = make_store(items=ITEMS, base_pay="0.50", items_per_visit=1)
    store.register(TURKER, platform="mturk")
    work(store, TURKER, answers, 1, visit="v1")
    assert store.finish(TURKER, "complete", visit="v1", reward="v1") == "complete"
    assert store.finish(TURKER, store.standing(TURKER, visit="v2").if_stopped, visit="v2", reward="v2") == "settled"
    assert row(store, TURKER)["base"] == "0.50"
    work(store, TURKER, answers, 1, visit="v3")
    assert store.finish(TURKER, "complete", visit="v3", reward="v3") == "complete"
    assert row(store, TURKER) == {
        "amount": "1.00",
        "base": "1.00",
        "filed": "0.00",
        "paid": "0.00",
        "due": "0.00",
        "over": "0.00",
    }


def test_a_code_for_partial_work_pays_what_the_study_says(make_store: Make, answers: dict) -> None:
    store = make_store(items=ITEMS, base_pay="2.00", items_per_worker=4, partial_code="PART", partial_pay="0.75")
    store.register(PID, platform="prolific")
    work(store, PID, answers, 1, visit="s1")
    store.finish(PID, "partial", visit="s1", reward=STUDY)
    assert row(store, PID) == {"amount": "0.50", "base": "0.75", "filed": "0.00", "paid": "0.00", "due": "0.00", "over": "0.25"}
    assert balance(store).over == Decimal("0.25")


def test_times_and_rates_that_cannot_be_right_are_named(make_store: Make, answers: dict, clock: FakeClock) -> None:
    store = make_store(items=ITEMS)
    for worker, seconds in (("anna", 150.0), ("ben", 140.0)):
        store.claim(worker)
        for _ in range(int(seconds // 50)):
            clock.advance(50)
            store.active(worker, store.claim(worker).id)  # type: ignore[union-attr]
        work(store, worker, answers, 1)
    assert store.progress().implausible == ()
    for worker in ("cy", "dee", "eve"):
        store.claim(worker)
        clock.advance(0.05)
        work(store, worker, answers, 1)
    rate, fast = store.progress().implausible
    assert "the median pay of 36,000.00 USD an hour on task is 3,000 times what the study plans (12.00" in rate
    assert fast == "3 of 5 answers took less than 15 seconds each"
