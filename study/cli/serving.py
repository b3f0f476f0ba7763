"""The verbs that open the worker's app and the admin page."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import click

from barlow_core.cli.shared import example, serve_options
from barlow_core.errors import BarlowError
from barlow_core.wording import count
from study.cli.shared import open_store, say_advice, study_argument, study_path

PORT, ADMIN_PORT = 8501, 8502
# What a page that strangers open needs. Its own messages go to the log, not to the stranger; nothing is uploaded; a proxy that
# closes quiet connections is kept awake.
PUBLIC = {
    "client.showErrorDetails": "none",
    "server.enableXsrfProtection": "true",
    "server.enableCORS": "true",
    "server.maxUploadSize": "1",
    "server.maxMessageSize": "5",
    "server.websocketPingInterval": "20",
    "runner.fastReruns": "true",
}
url_option = click.option("--url", help="The address at which people reach the app, such as https://study.example.org/barlow")


@click.command(epilog=example("barlow study preview runs/mine"))
@study_argument
@serve_options
def preview(study: Path, port: int | None, address: str, base_path: str, open_browser: bool) -> None:
    """Open the study as a worker sees it.

    Nothing you do there is kept.
    """
    from barlow_core.cli.serve import serve_app

    open_store(study).close()
    serve_app(
        "annotate.py",
        [str(study_path(study)), "--preview"],
        port=port,
        address=address,
        base_path=base_path,
        open_browser=open_browser,
        options=PUBLIC,
        guarded=True,
    )


@click.command(
    epilog=example(
        "barlow study serve runs/mine",
        "barlow study serve runs/mine --url https://study.example.org --port 8501",
        "barlow study serve runs/mine --url https://study.example.org --port 8503 --no-admin",
    )
)
@study_argument
@click.option("--port", type=click.IntRange(1, 65535), default=PORT, show_default=True)
@click.option("--address", default="localhost", show_default=True, help="Interface to listen on; 0.0.0.0 for all.")
@click.option("--base-path", default="", help="Path under which a proxy serves the app; by default that of --url.")
@url_option
@click.option("--admin/--no-admin", default=True, help="Also start the admin page, reachable from this computer only.")
@click.option("--admin-port", type=click.IntRange(1, 65535), default=ADMIN_PORT, show_default=True)
def serve(study: Path, port: int, address: str, base_path: str, url: str | None, admin: bool, admin_port: int) -> None:
    """Open the study to workers, and print their links.

    The app is set up for the public: error messages stay in the log, there are no uploads, and it may be shown in a frame, as
    Mechanical Turk does. To be reached from outside it needs an https:// address: a proxy that forwards everything to --port.
    Several processes may serve one study; see docs/running_a_study.md.
    """
    from barlow_core.cli.serve import serve_app

    parts = public_address(url)
    base_path = base_path or (parts.path.strip("/") if parts else "")
    host = "localhost" if address == "0.0.0.0" else address
    say_links(study, url or f"http://{host}:{port}/{base_path}")
    second = ["study", "admin", str(study_path(study)), f"--port={admin_port}", "--no-open"] if admin else None
    with beside(second, f"Admin page, on this computer only: http://localhost:{admin_port}"):
        serve_app(
            "annotate.py",
            [str(study_path(study))],
            port=port,
            address=address,
            base_path=base_path,
            open_browser=False,
            options=PUBLIC | public_options(parts),
            guarded=True,
        )


@click.command(epilog=example("barlow study admin runs/mine", "barlow study admin runs/mine --new-secret"))
@study_argument
@click.option("--new-secret", is_flag=True, help="Make a new secret, print it, and exit; the old one stops working.")
@click.option("--port", type=click.IntRange(1, 65535), default=ADMIN_PORT, show_default=True)
@click.option("--address", default="localhost", show_default=True, help="Interface to listen on. Best kept off the internet.")
@click.option("--base-path", default="", help="Path under which a proxy serves the page.")
@click.option("--open/--no-open", "open_browser", default=True, help="Open a web browser.")
def admin(study: Path, new_secret: bool, port: int, address: str, base_path: str, open_browser: bool) -> None:
    """Open the admin page: progress, answers, reports, blocking. It asks for the secret that `create` printed."""
    from barlow_core.cli.serve import serve_app
    from study.store import admin_secret

    with open_store(study) as store:
        if new_secret:
            secret = admin_secret.new_secret()
            store.configure(admin_hash=admin_secret.hashed(secret))
            click.echo(f"New secret of the admin page, shown only now: {secret}")
            return
    serve_app(
        "administer.py",
        [str(study_path(study))],
        port=port,
        address=address,
        base_path=base_path,
        open_browser=open_browser,
        options=PUBLIC,
        guarded=True,
    )


def say_links(study: Path, url: str) -> None:
    """What to know before workers come: the links, what is missing, the SQLite library."""
    from study.participants.platforms import external_question, links, missing
    from study.setup.frozen_panels import panels_folder

    with open_store(study) as store:
        if store.read_only:
            raise BarlowError(
                f"{store.path} cannot be written to, so no answer could be kept. Allow writing to it and to its folder."
            )
        for sentence in missing(store.settings):
            click.echo(f"Still missing: {sentence}", err=True)
        if any(item.get("panel") for item in store.item_list()) and not panels_folder(store.path).is_dir():
            raise BarlowError(f"{panels_folder(store.path)} is missing: workers would see no pictures. Copy it to its place.")
        for link in links(store.settings, url):
            click.echo(f"{link.audience}: {link.url}\n    {link.advice}")
            if link.audience == "Mechanical Turk":
                click.echo(f"    {external_question(link.url)}")
        if n := int(store.workers()["simulated"].sum()):
            click.echo(
                f"{count(n, 'simulated participant')} took part in this study; answers of people would stand beside theirs. Make a "
                "study of its own for people: barlow study create RUN --study NEW.sqlite",
                err=True,
            )
        if not store.settings.has_admin_secret:
            click.echo(f"The admin page has no secret yet: barlow study admin {store.path} --new-secret", err=True)
    if not url.startswith("https://"):
        click.echo("These links work on this computer or network only; give your public address with --url https://...", err=True)
    say_advice()


def public_address(url: str | None) -> SplitResult | None:
    """The address that people are told, in its parts; None where none is given.

    Raises:
        BarlowError: it is none.
    """
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BarlowError(f"--url {url!r} is not an address. Expected something like https://study.example.org")
    return parts


def public_options(parts: SplitResult | None) -> dict[str, str]:
    """Options of Streamlit with which connections from pages of this host, and of no other one, are let through to the app."""
    if parts is None or not parts.hostname:
        return {}
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {"browser.serverAddress": parts.hostname, "browser.serverPort": str(port)}


@contextmanager
def beside(command: list[str] | None, said: str) -> Iterator[None]:
    """Another page in a process of its own, which people's pages can never reach; nothing without a command.

    Args:
        command: words after `barlow`; said: where the page is.
    """
    if command is None:
        yield
        return
    from barlow_core.cli.serve import end_with_parent

    page = subprocess.Popen([sys.executable, "-m", "barlow_core", *command], preexec_fn=end_with_parent)
    click.echo(said)
    try:
        yield
    finally:
        page.terminate()
        page.wait()
