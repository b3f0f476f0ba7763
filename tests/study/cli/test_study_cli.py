"""`barlow study`, verb for verb, as a researcher types it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from small_run import small_extractor, small_run

from barlow_core.benchmark import Benchmark
from barlow_core.cli import cli
from barlow_core.panels import make_panels
from barlow_core.run import Run
from study.setup.selection import select, with_checks
from study.store import StudyStore

VERBS = [
    "create",
    "preview",
    "serve",
    "admin",
    "set",
    "texts",
    "status",
    "pause",
    "resume",
    "pay",
    "block",
    "reject",
    "reopen",
    "withdraw",
    "backup",
    "restore",
    "export",
    "check",
    "simulate",
    "analyze",
    "interview",
]
PANELS = ("--images-per-panel", "2", "--steps", "1", "--quiet")
PID = "5f3c0a1b2c3d4e5f60718293"


def barlow(*arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["study", *map(str, arguments)], input=stdin)


def fine(*arguments: str | Path, stdin: str | None = None) -> str:
    result = barlow(*arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str | Path) -> str:
    """The one message of a user's mistake."""
    result = barlow(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert result.stderr.count("Error: ") == 1
    return result.stderr


@pytest.fixture(scope="module")
def prepared(planted_benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with all panels that a small study needs, so that no network has to be loaded."""
    extractor = small_extractor()
    run = small_run(tmp_path_factory.mktemp("cli") / "run", planted_benchmark, extractor)
    chosen = with_checks(run, select(run, groupings=["label"], per_tier=1, top=2), practice=1, attention=1)
    make_panels(run, extractor, [(item["group"], item["feature"]) for item in chosen.items], k=2, steps=1)
    return run.path


@pytest.fixture
def run_path(prepared: Path, tmp_path: Path) -> Path:
    shutil.copytree(prepared, tmp_path / "run")
    return tmp_path / "run"


SMALL = ("--grouping", "label", "--per-tier", "1", "--top", "2", "--practice", "1", "--attention", "1")


@pytest.fixture
def study(run_path: Path) -> Path:
    """A run folder with a study of six items, three answers each."""
    fine("create", run_path, *SMALL, *PANELS, "--answers", "3", "--platform", "prolific", "--platform", "link", "--invites", "2")
    return run_path


def answer(study: Path, worker: str, answers: dict, n: int = 100, **about: str) -> None:
    with StudyStore(study / "study.sqlite") as store:
        store.register(worker, **about)  # type: ignore[arg-type]
        while n and (item := store.claim(worker)) is not None:
            store.submit(worker, item.id, answers, item.token)
            n -= 1


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    text = fine(verb, "--help")
    assert "Example:" in text
    assert f"barlow study {verb} " in text
    assert f"  {verb} " in fine("--help")


def test_create_says_what_it_chose_and_what_is_next(run_path: Path) -> None:
    text = fine("create", run_path, *SMALL, *PANELS, "--platform", "prolific")
    assert "6 items (1 practice, 1 attention besides), 30 answers wanted." in text
    assert "12.00 USD an hour" in text
    assert "Prolific needs a completion code" in text
    secret = re.search(r"shown only now: (\S+)", text)
    assert secret is not None
    with StudyStore(run_path / "study.sqlite") as store:
        assert store.admin_allowed(secret[1])
        assert not store.admin_allowed("something else")
        assert secret[1] not in store.path.read_bytes().decode("latin-1")
        assert len(store.item_list()) == 8
        assert store.settings.platforms == ("prolific",)
    assert "exists already" in refused("create", run_path, *SMALL, *PANELS)


def test_create_from_a_list_and_a_file_of_settings(run_path: Path, tmp_path: Path) -> None:
    item = select(Run(run_path), groupings=["label"], top=1).items[0]
    (tmp_path / "list.csv").write_text(f"group,feature\n{item['group']},{item['feature']}\n")
    (tmp_path / "settings.toml").write_text(
        'consent = "Yes?"\nanswers_per_item = 7\npay_per_item = "0.10"\ninvite_codes = ["anna-1234"]\n'
    )
    given = ("--list", tmp_path / "list.csv", "--settings", tmp_path / "settings.toml", "--practice", "0", "--attention", "0")
    fine("create", run_path, "--study", tmp_path / "own.sqlite", *given, *PANELS, "--pay", "0.20", "--invites", "1")
    with StudyStore(tmp_path / "own.sqlite") as store:
        assert (store.settings.consent, store.settings.answers_per_item, store.settings.pay_per_item) == ("Yes?", 7, "0.20")
        assert len(store.settings.invite_codes) == 2
        assert [item["id"] for item in store.item_list()] == [item["id"]]
    for text, message in (
        ("[1]", "holds no settings"),
        ("{", "cannot be read as settings"),
        ('{"colour": 1}', "no setting 'colour'"),
    ):
        (tmp_path / "bad.json").write_text(text)
        assert message in refused("create", run_path, *given[:2], "--settings", tmp_path / "bad.json")
    assert not (run_path / "study.sqlite").exists()


def test_a_dry_run_makes_nothing(run_path: Path) -> None:
    assert "6 items" in fine("create", run_path, *SMALL, "--dry-run")
    assert not list(run_path.glob("study.sqlite*"))


def test_status_in_words_and_as_json(study: Path, answers: dict) -> None:
    assert "0 of 18 (0.0 %)" in fine("status", study)
    answer(study, PID, answers, 4, platform="prolific")
    text = fine("status", study)
    found = json.loads(fine("status", study, "--json"))
    assert found["answers"] >= 2
    assert f"{found['answers']} of 18" in text
    assert (found["answers_wanted"], found["workers"], found["complete"]) == (18, 1, False)
    assert found["cost"] == f"{(4 - 1) * 0.5:.2f}"  # the first of the four was practice


def test_pay_as_table_and_as_files(study: Path, answers: dict, tmp_path: Path) -> None:
    assert "Nobody has taken part" in fine("pay", study)
    answer(study, PID, answers, 3, platform="prolific")
    text = fine("pay", study)
    assert PID in text
    assert "1.00 USD in no payment file yet" in text
    (row,) = json.loads(fine("pay", study, "--json"))
    assert (row["worker"], row["items"], row["amount"], row["due"]) == (PID, 2, "1.00", "1.00")
    said = fine("pay", study, "--csv", tmp_path / "pay.csv", "--bonus-csv", tmp_path / "bonus.csv")
    assert "Payment file 1 in" in said
    assert "--paid 1; if it never is: --void 1" in said
    assert (tmp_path / "bonus.csv").read_text() == f"{PID},1.00\n"
    assert len(pd.read_csv(tmp_path / "pay.csv")) == 1
    # What is in a file is not due any more; lost files can be written again, and settled.
    assert "0.00 USD in no payment file yet" in fine("status", study)
    assert "Nothing is due" in fine("pay", study, "--bonus-csv", tmp_path / "second.csv")
    assert not (tmp_path / "second.csv").exists()
    fine("pay", study, "--bonus-csv", tmp_path / "copy.csv", "--again", "1")
    assert (tmp_path / "copy.csv").read_text() == (tmp_path / "bonus.csv").read_text()
    assert "is paid: 1 payment, 1.00 USD in all" in fine("pay", study, "--paid", "1")
    assert "1.00 USD paid, 0.00 USD not noted as paid yet" in fine("status", study)
    assert "Payment file 1 (prolific" in fine("pay", study)
    assert "is paid since" in refused("pay", study, "--void", "1")
    assert "no payment file 7; there are: 1" in refused("pay", study, "--bonus-csv", tmp_path / "x.csv", "--again", "7")
    assert "Say where, with --bonus-csv" in refused("pay", study, "--again", "1")
    answer(study, "anna", answers, 3)
    assert "say for which, with --platform" in refused("pay", study, "--bonus-csv", tmp_path / "third.csv")


def test_block_and_reopen_by_id_or_pseudonym(study: Path, answers: dict) -> None:
    answer(study, PID, answers)
    with StudyStore(study / "study.sqlite") as store:
        pseudonym = store.workers()["pseudonym"].iloc[0]
        before = store.progress().answers
    fine("block", study, pseudonym, "--reason", "random words", "--discard")
    assert json.loads(fine("status", study, "--json"))["answers"] == 0
    fine("reopen", study, PID)
    assert json.loads(fine("status", study, "--json"))["answers"] == before
    assert "No worker 'nobody'" in refused("block", study, "nobody")


def test_reject_and_reopen_one_answer(study: Path, answers: dict) -> None:
    answer(study, PID, answers)
    with StudyStore(study / "study.sqlite") as store:
        item = store.answers()["item"].iloc[0]
        before = store.progress().answers
    fine("reject", study, PID, item, "--reason", "describes another picture")
    assert json.loads(fine("status", study, "--json"))["answers"] == before - 1
    fine("reopen", study, PID, "--item", item)
    assert json.loads(fine("status", study, "--json"))["answers"] == before
    assert "could be rejected" in refused("reject", study, PID, "none such", "--reason", "x")
    assert "flagged" in fine("status", study), "these answers came in no time"


def test_pause_and_resume(study: Path) -> None:
    assert "Paused" in fine("pause", study)
    assert "PAUSED: nobody new is let in" in fine("status", study)
    assert "18 free for new people, 0 taken" in fine("resume", study)
    assert "18 free for new people, 0 taken" in fine("status", study)


def test_create_with_a_quiz(run_path: Path) -> None:
    fine("create", run_path, *SMALL, *PANELS, "--quiz")
    with StudyStore(run_path / "study.sqlite") as store:
        assert len(store.settings.quiz) == 3


def test_withdraw_asks_first_and_cleans_the_backups(study: Path, answers: dict) -> None:
    answer(study, PID, answers | {"long": "quokka7391"})
    fine("backup", study)
    assert barlow("withdraw", study, PID, stdin="n\n").exit_code == 1
    text = fine("withdraw", study, PID, stdin="y\n")
    assert "1 backup rewritten" in text
    assert not [path for path in study.rglob("*sqlite*") if path.is_file() and b"quokka7391" in path.read_bytes()]
    assert "0 answers" in fine("withdraw", study, PID, "--yes", "--forget")
    assert "No worker" in refused("withdraw", study, PID, "--yes")


def test_backup_restore_and_check_with_pictures(study: Path, answers: dict, tmp_path: Path) -> None:
    fine("backup", study, "--to", tmp_path / "disk" / "copy.sqlite", "--pictures")
    fine("backup", study)
    name = fine("restore", study).splitlines()[0]
    answer(study, PID, answers)
    # What would be lost is said first, and asked.
    asked = barlow("restore", study, name, stdin="n\n")
    assert asked.exit_code == 1
    assert "confirmed answers of 1 worker that came since would be gone" in asked.stdout
    with StudyStore(study / "study.sqlite") as store:
        assert store.progress().answers > 0
    assert "0 answers" in fine("restore", study, name, stdin="y\n")
    listed = fine("restore", study).splitlines()
    assert name in listed
    assert str(tmp_path / "disk" / "copy.sqlite") in listed, "also one that was made with --to"
    # A backup without pictures is not a study with 8 broken ones.
    text = fine("check", study / "study.sqlite.backups" / name)
    assert "All is well: 0 answers, no pictures." in text
    assert text.count("pictures are not beside this file") == 1
    moved = tmp_path / "elsewhere" / "study.sqlite"
    text = fine("restore", moved, tmp_path / "disk" / "copy.sqlite")
    assert "Pictures copied" in text
    assert "pictures of 8 items" in fine("check", moved)
    again = tmp_path / "third" / "study.sqlite"
    assert "Pictures copied" in fine("restore", again, study / "study.sqlite.backups" / name)
    assert "No backup found" in refused("restore", study, "none.sqlite")
    assert "No backups in" in refused("restore", tmp_path / "nowhere.sqlite")


def test_check_finds_what_is_wrong_and_ends_with_status_1(study: Path) -> None:
    assert "All is well" in fine("check", study)
    picture = next((study / "study.sqlite.panels").rglob("c_0.png"))
    picture.write_bytes(b"something else")
    result = barlow("check", study)
    assert result.exit_code == 1
    assert "c_0.png has changed" in result.stdout
    found = json.loads(barlow("check", study, "--json").stdout)
    assert len(found["problems"]) == 1
    assert "sqlite" in found


def test_the_version_of_sqlite_is_told(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.cli.shared.library_advice", lambda: "Python runs with SQLite 3.40.1.")
    assert "Note: Python runs with SQLite 3.40.1." in barlow("check", study).stderr


def test_export_with_a_codebook_and_never_over_a_file(study: Path, answers: dict, tmp_path: Path) -> None:
    answer(study, PID, answers)
    paths = fine("export", study, tmp_path / "answers.csv").split()
    assert [Path(path).name for path in paths] == ["answers.csv", "answers_codebook.csv"]
    assert PID not in Path(paths[0]).read_text()
    assert "exists already" in refused("export", study, tmp_path / "answers.csv")
    fine("export", study, tmp_path / "answers.csv", "--overwrite", "--everything", "--real-ids")
    table = pd.read_csv(tmp_path / "answers.csv")
    assert set(table["kind"]) > {"item", "practice"} or set(table["kind"]) == {"item", "practice"}
    assert set(table["worker"]) == {PID}
    assert "none of csv, jsonl, parquet" in refused("export", study, tmp_path / "answers.doc")


def test_simulate_fills_a_trial_and_refuses_where_people_are(
    study: Path, run_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = fine("simulate", study, "--at-once", "4", "--quiet")
    assert "the study has 18 of 18" in text
    assert "SIMULATED" in fine("status", study)
    monkeypatch.setattr("barlow_core.cli.serve.serve_app", lambda *_, **__: None)
    assert "simulated participants took part in this study" in barlow("serve", study, "--no-admin").stderr
    fine("create", run_path, "--study", run_path / "other.sqlite", *SMALL, *PANELS)
    with StudyStore(run_path / "other.sqlite") as store:
        store.claim("a person")
    assert "1 person has taken part" in refused("simulate", run_path / "other.sqlite", "--quiet")


def test_set_shows_and_changes_settings(study: Path) -> None:
    text = fine("set", study)
    assert "pay_per_item (fixed)" in text
    assert "invite_codes = (2)" in text  # not the codes
    fine(
        "set",
        study,
        "completion_code=00123",
        "items_per_worker=7",
        "contact=me@example.org",
        "platforms=link,prolific",
        "open_link=true",
    )
    codes = fine("set", study, "--invites", "3").split()
    with StudyStore(study / "study.sqlite") as store:
        found = store.settings
        assert (found.completion_code, found.items_per_worker, found.contact) == ("00123", 7, "me@example.org")
        assert (found.platforms, found.open_link) == (("link", "prolific"), True)
        assert found.invite_codes[2:] == tuple(codes)
    fine("set", study, "items_per_worker=null")
    assert "cannot change" in refused("set", study, "answers_per_item=9")
    assert "Expected NAME=VALUE" in refused("set", study, "title")
    assert "no setting 'colour'" in refused("set", study, "colour=red")


def test_a_new_admin_secret_replaces_the_old_one(study: Path) -> None:
    first, second = (fine("admin", study, "--new-secret").split()[-1] for _ in range(2))
    with StudyStore(study / "study.sqlite") as store:
        assert store.admin_allowed(second)
        assert not store.admin_allowed(first)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ("create", "texts", "restore", "analyze", "interview")])
def test_a_study_that_is_not_there_is_one_message(verb: str, tmp_path: Path) -> None:
    more = {
        "block": ["w"],
        "reopen": ["w"],
        "reject": ["w", "i", "--reason", "x"],
        "withdraw": ["w", "--yes"],
        "export": [str(tmp_path / "x.csv")],
    }.get(verb, [])
    assert "No study found" in refused(verb, tmp_path / "none.sqlite", *more)


def test_serve_refuses_what_workers_could_not_use(study: Path) -> None:
    assert "is not an address" in refused("serve", study, "--url", "study.example.org")
    shutil.rmtree(study / "study.sqlite.panels")
    assert "workers would see no pictures" in refused("serve", study)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["asked", "killed"])
def test_serve_lets_workers_in_and_ends_with_the_command(study: Path, how: signal.Signals) -> None:
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("localhost", 0))
            ports.append(probe.getsockname()[1])
    command = [
        sys.executable,
        "-m",
        "barlow_core",
        "study",
        "serve",
        str(study),
        f"--port={ports[0]}",
        f"--admin-port={ports[1]}",
    ]
    server = subprocess.Popen(
        [*command, "--url", "https://study.example.org/barlow"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        lines = []
        for line in server.stdout:
            lines.append(line)
            if line.startswith(f"The app is at http://localhost:{ports[0]}"):
                break
        text = "".join(lines)
        with urllib.request.urlopen(f"http://localhost:{ports[0]}/barlow/_stcore/health", timeout=10) as answer:
            assert answer.status == 200
    finally:
        server.send_signal(how)
        _, errors = server.communicate(timeout=30)
    assert (
        "https://study.example.org/barlow/?PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}"
        in text
    )
    assert text.count("https://study.example.org/barlow/?invite=") == 2
    assert f"Admin page, on this computer only: http://localhost:{ports[1]}" in text
    assert "Prolific needs a completion code" in errors
    for port in ports:
        assert _ends(port), "the app and the admin page end with the command"


def _ends(port: int) -> bool:
    """Whether nobody answers at this port any more, or soon will not."""
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("localhost", port)) != 0:
                return True
        time.sleep(0.1)
    return False
