"""The real nginx with the configuration that docs/ recommends; only ports and certificate are the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

CONF = Path(__file__).parents[1] / "docs" / "nginx.conf"
AROUND = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{ access_log off; {temporary} include {folder}/study.conf; }}
"""


def program() -> str:
    """Where nginx is; the test is skipped where it is not, except in CI."""
    found = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("There is no nginx. CI must have one: see .ci/run.")
        pytest.skip("There is no nginx. Install it to test the pages behind it: apt-get install nginx-light.")
    return found


@contextmanager
def nginx(folder: Path, port: int, servers: Sequence[int]) -> Iterator[str]:
    """Serve what these ports serve, by https; yields the address."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    made = [*command, "-subj", "/CN=localhost", "-keyout", str(folder / "study.key"), "-out", str(folder / "study.pem")]
    subprocess.run(made, check=True, capture_output=True)
    conf = CONF.read_text(encoding="utf-8")
    wanted = {
        "    server 127.0.0.1:8501;\n    server 127.0.0.1:8503;\n": "".join(f"server 127.0.0.1:{one};\n" for one in servers),
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/etc/ssl/": f"{folder}/",
        "study.example.org": "localhost",
    }
    for old, new in wanted.items():
        assert old in conf
        conf = conf.replace(old, new)
    (folder / "study.conf").write_text(conf, encoding="utf-8")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder, temporary=temporary), encoding="utf-8")
    process = subprocess.Popen([program(), "-p", str(folder), "-c", str(folder / "nginx.conf")], stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 20
        while not (folder / "pid").exists():
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield f"https://localhost:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)
