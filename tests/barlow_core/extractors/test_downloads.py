from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from robustness_files import robustness_checkpoint
from torchvision import models

from barlow_core import extractors
from barlow_core.errors import BarlowError
from barlow_core.extractors import downloads
from barlow_core.extractors.downloads import Download, fetch

CONTENT = bytes(range(256)) * 8_000  # 2 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `files`, and remembers the Range of every request; can break off, or ignore Range, as real servers do."""

    daemon_threads = True
    files: dict[str, bytes]
    ranges: list[str | None]
    break_after: int | None = None
    ignore_range = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        content = self.server.files.get(self.path)
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        if content is None:
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and not self.server.ignore_range else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop, self.server.break_after = self.server.break_after, None
        self.wfile.write(content[start : len(content) if stop is None else start + stop])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.files, server.ranges = {"/weights.pt": CONTENT}, []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_fetch(server: Server, tmp_path: Path) -> None:
    path = fetch(f"{server.url}/weights.pt", tmp_path / "new" / "weights.pt", SHA256, progress=False)
    assert path.read_bytes() == CONTENT
    fetch(f"{server.url}/weights.pt", path, SHA256, progress=False)
    assert server.ranges == [None]


def test_a_broken_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    path, server.break_after = tmp_path / "weights.pt", 1_500_000
    with pytest.raises(BarlowError, match="connection broke after 1,500,000 of 2,048,000 bytes.*continues where it stopped"):
        fetch(f"{server.url}/weights.pt", path, SHA256, progress=False)
    assert not path.exists()
    fetch(f"{server.url}/weights.pt", path, SHA256, progress=False)
    assert server.ranges == [None, "bytes=1500000-"]
    assert path.read_bytes() == CONTENT
    assert not path.with_name("weights.pt.part").exists()


@pytest.mark.parametrize("have", [1000, len(CONTENT)])
def test_servers_that_ignore_ranges_and_parts_that_are_whole(server: Server, tmp_path: Path, have: int) -> None:
    path, server.ignore_range = tmp_path / "weights.pt", have == 1000
    path.with_name("weights.pt.part").write_bytes(CONTENT[:have])
    assert fetch(f"{server.url}/weights.pt", path, SHA256, progress=False).read_bytes() == CONTENT


def test_another_content_is_removed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BarlowError, match="served a different file from the expected one"):
        fetch(f"{server.url}/weights.pt", tmp_path / "weights.pt", "0" * 64, progress=False)
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == []


def test_missing_and_unreachable(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BarlowError, match="answered 404"):
        fetch(f"{server.url}/nothing", tmp_path / "a", SHA256, progress=False)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(BarlowError, match="could not be reached"):
            fetch(f"http://127.0.0.1:{unused.getsockname()[1]}/a", tmp_path / "a", SHA256, progress=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(BarlowError, match="could not be written.*BARLOW_CACHE"):
        fetch(f"{server.url}/weights.pt", tmp_path / "file" / "weights.pt", SHA256, progress=False)


def test_robust_network_from_download_to_features(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The documented way, with a small server in the place of the real one: download, check, convert, load."""
    monkeypatch.setenv("BARLOW_CACHE", str(tmp_path / "cache"))
    robustness_checkpoint(models.resnet18(num_classes=3), tmp_path / "original.ckpt")
    server.files["/resnet18_l2_eps3.ckpt"] = content = (tmp_path / "original.ckpt").read_bytes()
    item = Download(f"{server.url}/resnet18_l2_eps3.ckpt", hashlib.sha256(content).hexdigest(), 47, "resnet18")
    monkeypatch.setitem(downloads.DOWNLOADS, "robust_resnet18", item)
    with pytest.raises(BarlowError, match=r"not on this machine yet.*47 MB.*--download.*--checkpoint"):
        extractors.load("robust_resnet18")
    first = extractors.load("robust_resnet18", download=True)
    assert first.n_features == 512
    assert extractors.load("robust_resnet18").fingerprint == first.fingerprint
    assert len(server.ranges) == 1
    cached = tmp_path / "cache" / "robust_resnet18.pt"
    assert set(torch.load(cached, weights_only=True)) == {"model"}
    assert [path.name for path in cached.parent.iterdir() if not path.name.endswith(".lock")] == ["robust_resnet18.pt"]
