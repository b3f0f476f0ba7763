"""Start a Streamlit app, wait until it answers, say where it is, and stop it cleanly."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Mapping, Sequence

from barlow_core.errors import BarlowError
from barlow_core.storage.shipped import apps_dir

FIRST_PORT = 8501
PR_SET_PDEATHSIG = 1  # of sys/prctl.h
PATIENCE = 60.0  # seconds until a starting app must answer


def serve_app(
    script: str,
    arguments: Sequence[str],
    *,
    port: int | None = None,
    address: str = "localhost",
    base_path: str = "",
    query: str = "",
    open_browser: bool = True,
    options: Mapping[str, str] | None = None,
    guarded: bool = False,
) -> None:
    """Run `apps/script` with `arguments` until it ends or Ctrl-C.

    Args:
        script: file name in apps/.
        arguments: of the script.
        port: None: the first free one from 8501 on.
        address: interface to listen on.
        base_path: below which a proxy shows the app.
        query: of the address to open, such as "page=group&depth=2".
        options: further ones of Streamlit, by name: {"server.enableCORS": "false"}.
        guarded: behind `apps/guarded.py`: strangers open it.

    Raises:
        BarlowError: the port is taken, or the app does not start.
    """
    port = _port(address, port)
    command = [sys.executable, "-m", "streamlit", "run", str(apps_dir() / ("guarded.py" if guarded else script))]
    # headless also skips the question for an e-mail address with which Streamlit greets at its first start.
    command += [f"--server.port={port}", f"--server.address={address}", "--server.headless=true"]
    # Watching its own code costs a visitor time, and an inotify instance that a shared machine may not have left.
    command += ["--server.fileWatcherType=none", "--client.toolbarMode=minimal", "--browser.gatherUsageStats=false"]
    base_path = base_path.strip("/")
    if base_path:
        command.append(f"--server.baseUrlPath={base_path}")
    command += [f"--{name}={value}" for name, value in (options or {}).items()]
    command += ["--", *([script] if guarded else []), *arguments]
    url = f"http://{'localhost' if address == '0.0.0.0' else address}:{port}{base_path and '/'}{base_path}"
    # Asked to end, as a service manager asks, we must take the app with us.
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    app = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=end_with_parent)
    try:
        _wait_until_healthy(app, url)
        page = f"{url}/?{query}" if query else url
        print(f"The app is at {page}   (Ctrl-C stops it)", flush=True)
        if open_browser and _has_display():
            webbrowser.open(page)
        app.wait()
    except KeyboardInterrupt:
        pass
    finally:
        app.terminate()
        app.wait()
        signal.signal(signal.SIGTERM, previous)


def end_with_parent() -> None:
    """In a new process: have Linux end it when the process that started it ends, however abruptly; elsewhere nothing happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _port(address: str, wanted: int | None) -> int:
    if wanted is not None:
        if not _is_free(address, wanted):
            raise BarlowError(
                f"Port {wanted} on {address} is taken. Choose another with --port, or leave it out to get a free one."
            )
        return wanted
    for port in range(FIRST_PORT, FIRST_PORT + 100):
        if _is_free(address, port):
            return port
    raise BarlowError(f"No free port from {FIRST_PORT} to {FIRST_PORT + 99}. Name one with --port.")


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _wait_until_healthy(app: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if app.poll() is not None:
            raise BarlowError(f"The app stopped right after starting (exit status {app.returncode}); see its message above.")
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise BarlowError(f"The app did not answer at {url} within {PATIENCE:.0f} seconds. Try another --port.")


def _has_display() -> bool:
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
