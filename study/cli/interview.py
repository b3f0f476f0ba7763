"""`barlow study interview`: the study with practitioners, from invitations to tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from barlow_core.cli.shared import BarlowGroup, example, json_option, open_run, quiet_option, run_argument
from barlow_core.errors import BarlowError
from barlow_core.wording import count
from study.cli.shared import open_store, print_frame, print_json, study_argument, study_path, yes_option

if TYPE_CHECKING:
    import pandas as pd

    from study.setup.interviews import Trees

PORT, INTERVIEWER_PORT = 8505, 8506
participant_argument = click.argument("participant", metavar="PARTICIPANT")


@click.group(
    cls=BarlowGroup,
    epilog=example(
        "barlow study interview create runs/mine",
        "barlow study interview invite runs/mine --n 14",
        "barlow study interview serve runs/mine",
    ),
)
def interview() -> None:
    """Interview practitioners about failure modes.

    Prepare, invite, serve, look at the results with barlow study analyze.

    The interviews lie in the file of a crowd study and show its groupings. docs/running_interviews.md says how to hold them.
    """


@interview.command(
    epilog=example(
        "barlow study interview create runs/mine",
        "barlow study interview create runs/mine --study trial.sqlite --easy label:cat --easy label:truck",
        "barlow study interview create runs/mine --protocol ours.toml --easiest 5 --images-per-panel 24",
    )
)
@run_argument
@click.option("--study", "path", type=click.Path(path_type=Path), help="The study of that run. [default: RUN/study.sqlite]")
@click.option("--easy", "by_hand", multiple=True, metavar="GROUP", help="A group to begin with; may be given several times.")
@click.option(
    "--easiest",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Without --easy: how many, by the ease and agreement of the crowd's answers about the features of the tree.",
)
@click.option(
    "--protocol",
    "protocol_path",
    type=click.Path(path_type=Path),
    help="A JSON or TOML file with texts, choices, statements, parts.",
)
@click.option("--images", "per_node", type=click.IntRange(1), default=48, show_default=True, help="Images per node, at most.")
@click.option(
    "--extremes",
    type=click.IntRange(0),
    default=24,
    show_default=True,
    help="Images with the highest and with the lowest activation of each feature.",
)
@click.option(
    "--attacked",
    type=click.IntRange(0),
    help="How many of these, at either end, have heatmap and feature attack as well: most of the computing. [default: all]",
)
@click.option("--images-per-panel", type=click.IntRange(1), help="[default: as in the panels of the run]")
@click.option("--steps", type=click.IntRange(0), help="Steps of the feature attack. [default: as in the panels of the run]")
@click.option("--device", help="cpu, cuda, cuda:1, mps; for missing panels. [default: a GPU if there is one]")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw of groupings.")
@click.option("--dry-run", is_flag=True, help="Only print which groupings there would be.")
@quiet_option
def create(
    run_path: Path,
    path: Path | None,
    by_hand: tuple[str, ...],
    easiest: int,
    protocol_path: Path | None,
    per_node: int,
    extremes: int,
    attacked: int | None,
    images_per_panel: int | None,
    steps: int | None,
    device: str | None,
    seed: int,
    dry_run: bool,
    quiet: bool,
) -> None:
    """Prepare the interviews of a study.

    Freezes, for every group of the study, its tree of depth 2, images of its nodes and the panels of its features, beside the study
    file. Each participant begins with a group of the easy set, and sees another one drawn from all.
    """
    from dataclasses import replace

    from study.protocol import Protocol, read_protocol
    from study.setup.interviews import check_easy, make_interviews, trees_of

    run = open_run(run_path)
    protocol = replace(read_protocol(protocol_path) if protocol_path is not None else Protocol(), seed=seed)
    with open_store(run_path / "study.sqlite" if path is None else path) as store:
        if store.interviews.protocol is not None:
            raise BarlowError(f"{store.path} has interviews already; what participants see must not change.")
        trees = trees_of(run, store)
        known: dict[str, dict[str, float | None]] = {}
        if by_hand:
            easy, rule = list(by_hand), "Chosen by hand."
        else:
            table = _easiest(store.path, trees, easiest)
            print_frame(table, as_json=False, empty="There is no grouping with a tree.")
            easy, rule = _chosen(table, store.path)
            known = {
                str(row["group"]): {name: None if row[name] != row[name] else float(row[name]) for name in ("ease", "agreement")}
                for row in table.to_dict("records")
            }
        check_easy(trees, easy)
        click.echo(f"{count(len(trees.features), 'grouping')}, {len(easy)} of them to begin with: {', '.join(easy)}.")
        for group in trees.left_out:
            click.echo(f"  {group} is left out: its tree has no feature.")
        if dry_run:
            return
        make_interviews(
            run,
            store,
            trees,
            easy=easy,
            protocol=replace(protocol, easy_rule=rule),
            known=known,
            per_node=per_node,
            extremes=extremes,
            attacked=attacked,
            images_per_panel=images_per_panel,
            steps=steps,
            device=device,
            progress=not quiet,
        )
        click.echo(f"The interviews are prepared. Invite people: barlow study interview invite {store.path}")


def _easiest(path: Path, trees: Trees, n: int) -> pd.DataFrame:
    from study.analysis import Analysis, load_study
    from study.statistics.easy_groupings import easy_groupings

    analysis = Analysis(load_study(path))
    return easy_groupings(analysis.data.of_its_run, analysis.agreement["long"]["agreement"], trees.features, n=n)


def _chosen(table: pd.DataFrame, path: Path) -> tuple[list[str], str]:
    from study.statistics.easy_groupings import rule_words

    easy = [str(group) for group in table.loc[table["easy"], "group"]]
    if not easy:
        raise BarlowError(
            f"In {path} nobody has described a feature of any tree, so it is not known which groups are easy. Wait for answers, or name "
            "the groups: --easy GROUP, which may be given several times."
        )
    return easy, rule_words(table, path.name)


@interview.command(
    epilog=example(
        "barlow study interview invite runs/mine --n 14 --url https://study.example.org",
        "barlow study interview invite runs/mine --self-guided",
    )
)
@study_argument
@click.option("--n", type=click.IntRange(1), default=1, show_default=True, help="How many people.")
@click.option("--self-guided", is_flag=True, help="They go through the interview alone, without an interviewer.")
@click.option("--url", default=f"http://localhost:{PORT}", show_default=True, help="Where participants reach the page.")
@json_option
def invite(study: Path, n: int, self_guided: bool, url: str, as_json: bool) -> None:
    """Invite participants: a link of their own for each."""
    from study.participants.platforms import new_invite_codes

    with open_store(study) as store:
        made = {store.interviews.invite(code, guided=not self_guided): code for code in new_invite_codes(n)}
    links = {f"P{number}": link(url, code) for number, code in made.items()}
    if as_json:
        print_json(links)
        return
    for name, address in links.items():
        click.echo(f"{name}  {address}")


def link(url: str, code: str) -> str:
    """The link of a participant."""
    return f"{url.rstrip('/')}/?code={code}"


@interview.command(
    epilog=example(
        "barlow study interview serve runs/mine",
        "barlow study interview serve runs/mine --url https://study.example.org --no-interviewer",
    )
)
@study_argument
@click.option("--port", type=click.IntRange(1, 65535), default=PORT, show_default=True, help="Of the participants' page.")
@click.option("--address", default="localhost", show_default=True, help="Interface to listen on; 0.0.0.0 for all.")
@click.option("--base-path", default="", help="Path under which a proxy serves the participants' page; by default that of --url.")
@click.option("--url", help="The address at which participants reach the page, such as https://study.example.org/barlow")
@click.option(
    "--interviewer/--no-interviewer", default=True, help="Also start the interviewer's page, reachable from this computer only."
)
@click.option("--interviewer-port", type=click.IntRange(1, 65535), default=INTERVIEWER_PORT, show_default=True)
def serve(
    study: Path, port: int, address: str, base_path: str, url: str | None, interviewer: bool, interviewer_port: int
) -> None:
    """Open the pages of participants and interviewer.

    The interviewer's page is open on this computer only and asks for the secret of the study's admin page. Both show the same session within two seconds.
    """
    from barlow_core.cli.serve import serve_app
    from study.cli.serving import PUBLIC, beside, public_address, public_options
    from study.setup.frozen_panels import panels_folder

    parts = public_address(url)
    base_path = base_path or (parts.path.strip("/") if parts else "")
    with open_store(study) as store:
        if store.interviews.protocol is None:
            raise BarlowError(
                f"{store.path} has no interviews yet. Prepare them: barlow study interview create RUN --study {store.path}"
            )
        if not panels_folder(store.path).is_dir():
            raise BarlowError(
                f"{panels_folder(store.path)} is missing: participants would see no pictures. Copy it to its place."
            )
        if store.read_only:
            raise BarlowError(
                f"{store.path} cannot be written to, so nothing could be kept. Allow writing to it and to its folder."
            )
        host = "localhost" if address == "0.0.0.0" else address
        for number, code in store.interviews.codes().items():
            if store.interviews.participant(number).state in ("invited", "registered", "running"):
                click.echo(f"P{number}  {link(url or f'http://{host}:{port}/{base_path}', code)}")
        if interviewer and not store.settings.has_admin_secret:
            click.echo(f"The interviewer's page needs the admin secret: barlow study admin {store.path} --new-secret", err=True)
        path = str(study_path(study))
    second = ["study", "interview", "interviewer", path, f"--port={interviewer_port}", "--no-open"] if interviewer else None
    said = f"Interviewer's page, on this computer only: http://localhost:{interviewer_port}"
    with beside(second, said):
        serve_app(
            "interview.py",
            [path],
            port=port,
            address=address,
            base_path=base_path,
            open_browser=False,
            options=PUBLIC | public_options(parts),
            guarded=True,
        )


@interview.command(epilog=example("barlow study interview interviewer runs/mine --port 8506"))
@study_argument
@click.option("--port", type=click.IntRange(1, 65535), default=INTERVIEWER_PORT, show_default=True)
@click.option("--address", default="localhost", show_default=True, help="Interface to listen on. Best kept off the internet.")
@click.option("--base-path", default="", help="Path under which a proxy serves the page.")
@click.option("--open/--no-open", "open_browser", default=True, help="Open a web browser.")
def interviewer(study: Path, port: int, address: str, base_path: str, open_browser: bool) -> None:
    """Open the interviewer's page alone.

    For where serve runs on another computer or with --no-interviewer.
    """
    from barlow_core.cli.serve import serve_app
    from study.cli.serving import PUBLIC

    open_store(study).close()
    serve_app(
        "interview.py",
        [str(study_path(study)), "--interviewer"],
        port=port,
        address=address,
        base_path=base_path,
        open_browser=open_browser,
        options=PUBLIC,
        guarded=True,
    )


@interview.command(epilog=example("barlow study interview status runs/mine", "barlow study interview status runs/mine --json"))
@study_argument
@json_option
def status(study: Path, as_json: bool) -> None:
    """Show who was invited, and how far each of them is."""
    import pandas as pd

    with open_store(study) as store:
        found = store.interviews.require_tables()
    places = found.assignments.pivot(index="participant", columns="place", values="grouping").reindex(columns=[1, 2])
    people = found.participants.set_index("participant")
    table = pd.DataFrame(
        {
            "participant": people.index,
            "state": people["state"].str.replace("_", " "),
            "role": people["role"].map(found.protocol.choices("roles")),
            "experience": people["experience"].map(found.protocol.choices("experience")),
            "first": places[1].reindex(people.index),
            "second": places[2].reindex(people.index),
            "minutes": people["minutes"],
            "answers": (
                found.features["participant"].value_counts().add(found.actions["participant"].value_counts(), fill_value=0)
            )
            .reindex(people.index, fill_value=0)
            .astype(int),
            "quotes": found.quotes["participant"].value_counts().reindex(people.index, fill_value=0),
            "simulated": people["simulated"],
        }
    )
    print_frame(table, as_json=as_json, empty="Nobody was invited yet: barlow study interview invite STUDY")


@interview.command(
    epilog=example(
        "barlow study interview code runs/mine --out texts.csv",
        "barlow study interview code runs/mine --in anna.csv --coder anna",
    )
)
@study_argument
@click.option("--out", type=click.Path(path_type=Path), help="Write the texts that can be coded, with an empty column codes.")
@click.option("--in", "source", type=click.Path(path_type=Path), help="Read the filled column: values separated by semicolons.")
@click.option("--coder", help="Who coded; with --in.")
def code(study: Path, out: Path | None, source: Path | None, coder: str | None) -> None:
    """Code what participants wrote, in a table.

    Two coders give kappa. The interviewer's page has a page for coding as well.
    """
    from study.answers.coding import read_codes, write_texts

    if (out is None) == (source is None) or (source is None) != (coder is None):
        raise BarlowError("Give --out FILE to write the texts, or --in FILE with --coder NAME to read what a coder filled in.")
    with open_store(study) as store:
        if out is not None:
            click.echo(f"{count(write_texts(store, out), 'text')} in {out}. Fill in the column codes; see the column choices.")
        else:
            assert source is not None
            assert coder is not None
            click.echo(
                f"{count(read_codes(store, source, coder), 'text')} coded by {coder}. See the agreement: barlow study analyze {store.path}"
            )


@interview.command(epilog=example("barlow study interview export runs/mine tables"))
@study_argument
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace an earlier export.")
def export(study: Path, folder: Path, overwrite: bool) -> None:
    """Write participants, answers, quotes and codings as CSV.

    Participants go by their numbers. Of the closing survey, which is answered in private, only sums over several people are written.
    """
    if folder.exists() and not overwrite and (not folder.is_dir() or any(folder.iterdir())):
        raise BarlowError(f"{folder} exists already and is not empty. Choose another folder, or pass --overwrite.")
    with open_store(study) as store:
        for path in store.interviews.export(folder):
            click.echo(path)


@interview.command(epilog=example("barlow study interview withdraw runs/mine P7"))
@study_argument
@participant_argument
@yes_option
@click.pass_context
def withdraw(ctx: click.Context, study: Path, participant: str, yes: bool) -> None:
    """Delete everything that a participant said, for good.

    It goes from the study, its log and its backups, their closing survey included. Only the number stays, so that nobody else gets it.
    """
    from study.store.interviews.people import number_of

    with open_store(study) as store:
        number = number_of(participant)
        store.interviews.participant(number)
        if not yes:
            click.confirm(f"Delete everything that P{number} said for good?", abort=True)
        done = store.interviews.withdraw(number)
    click.echo(
        f"{count(done.answers, 'answer or quote', 'answers and quotes')} of {done.pseudonym} deleted; {count(len(done.cleaned), 'backup')} "
        "rewritten without them. Delete exports that were made before."
    )
    for path, reason in done.out_of_reach.items():
        click.echo(f"Still holds the answers, delete it yourself: {path} ({reason})", err=True)
    if done.out_of_reach:
        ctx.exit(1)


@interview.command(epilog=example("barlow study interview simulate trial.sqlite --participants 14"))
@study_argument
@click.option("--participants", type=click.IntRange(1), default=14, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def simulate(study: Path, participants: int, seed: int) -> None:
    """Let simulated participants go through it.

    They stay marked as simulated, in the analysis, too. Not possible once people were invited: use a trial study.
    """
    from study.participants.simulated_interviews import simulate_interviews

    with open_store(study) as store:
        simulate_interviews(store, participants, seed=seed)
    click.echo(f"{count(participants, 'simulated participant')} went through the interview. All of them are marked as simulated.")
