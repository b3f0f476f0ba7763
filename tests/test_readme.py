"""Every command and notebook of the README, and of the pages that continue it, is run, in order, in one folder with tiny data of the right shape."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torchvision.models import resnet50

ROOT = Path(__file__).parents[1]
RECIPE = (ROOT / "docs" / "training_your_own.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted((ROOT / "docs").glob("*.md"))
# Those that continue the README; docs/running_a_study.md has a test of its own.
CONTINUED = [ROOT / "docs" / name for name in ("researchers.md", "imagenet.md", "analysts.md")]
TEXT = "\n".join([README, *(page.read_text(encoding="utf-8") for page in CONTINUED)])
BLOCKS = re.findall(r"^```(bash|python)\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [line for language, block in BLOCKS if language == "bash" for line in block.splitlines()]
ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """photos/ with two CSVs, photos_by_class/, an ImageNet-shaped tree, and ResNet-50 checkpoints with random weights."""
    folder = tmp_path_factory.mktemp("readme")
    rng = np.random.default_rng(0)
    rows = ["Filenames,Predictions,Labels"]
    (folder / "photos").mkdir()
    for i in range(10):
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(folder / "photos" / f"{i}.png")
        rows.append(f"{i}.png,{('tench', 'goldfish')[i % 3 == 0]},{('tench', 'goldfish')[i % 2]}")
    (folder / "metadata.csv").write_text("\n".join(rows))
    (folder / "labels.csv").write_text("\n".join(",".join(np.array(row.split(","))[[0, 2]]) for row in rows))
    for wnid in ("n01440764", "n01443537"):
        (folder / "imagenet/train" / wnid).mkdir(parents=True)
        for i in range(3):
            picture = Image.fromarray(rng.integers(0, 256, (60, 60, 3), dtype=np.uint8))
            picture.save(folder / "imagenet/train" / wnid / f"{wnid}_{i}.JPEG")
    for i in range(160):
        by_class = folder / "photos_by_class" / ("tench", "goldfish")[i % 2]
        by_class.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(by_class / f"{i}.png")
    torch.manual_seed(0)
    weights = resnet50().state_dict()
    torch.save(weights, folder / "resnet50.pt")
    wrapped = {f"module.model.{name}": value for name, value in weights.items()}
    torch.save({"model": wrapped, "epoch": 90}, folder / "resnet50_l2_eps3.ckpt")
    subprocess.run(
        ["barlow", "convert-checkpoint", "resnet50_l2_eps3.ckpt", "robust_resnet50.pt"], cwd=folder, env=ENVIRONMENT, check=True
    )
    return folder


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return str(probe.getsockname()[1])


def test_there_is_something_to_run() -> None:
    assert sum(command.startswith("barlow ") for command in COMMANDS) >= 20
    assert [language for language, _ in BLOCKS].count("python") == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_command_works(folder: Path, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, which imports torch once for all of them; what serves pages runs as on the command line."""
    from barlow_core.cli import cli

    words = shlex.split(command)
    if words[0] == "make":  # This suite runs inside one of the two; that both exist is what can be checked from here.
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
        return
    assert words[0] == "barlow"
    if words[1] == "browse" or words[1:3] == ["study", "serve"]:
        # A study is served at a fixed port, which something else on this machine may have.
        more = ["--no-open"] if words[1] == "browse" else ["--port", free_port(), "--admin-port", free_port()]
        app = subprocess.Popen([*words, *more], cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
        try:
            assert app.stdout is not None
            assert any("The app is at http://localhost:" in line for line in app.stdout)
        finally:
            app.send_signal(signal.SIGINT)
        assert app.wait(timeout=30) == 0
        return
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(cli, words[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("code", [block for language, block in BLOCKS if language == "python"], ids=["run", "study"])
def test_notebook_works(folder: Path, code: str) -> None:
    assert len(code.strip().splitlines()) < 10
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_recipe_of_a_training_is_understood() -> None:
    """Its commands take minutes to hours: every option is known and has a value of its kind, and nothing is run."""
    from barlow_core.cli import cli

    blocks = re.findall(r"^```text\n(barlow .*?|torchrun .*?)^```", RECIPE, flags=re.MULTILINE | re.DOTALL)
    lines = [line[line.index("barlow ") :] for block in blocks for line in block.splitlines()]
    assert sum(line.startswith("barlow train-robust ") for line in lines) >= 3
    for line in lines:
        _, verb, *words = shlex.split(line)
        cli.commands[verb].make_context(verb, words)


def test_the_readme_names_every_page_and_links_lead_somewhere() -> None:
    linked = {}
    for page in (ROOT / "README.md", *PAGES):
        found = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
        linked[page] = {(page.parent / link).resolve() for link in found if "://" not in link}
        assert not [str(target) for target in linked[page] if not target.exists()], page
    assert set(PAGES) <= linked[ROOT / "README.md"]


def test_the_first_screen_says_what_it_is_for_and_shows_it() -> None:
    first = README.splitlines()[:20]
    assert any(line.startswith("**Find") for line in first)
    assert any(line.startswith("![") for line in first)
    assert {"make demo", "make test"} <= set(README.splitlines()[:30])


def test_every_measure_is_explained() -> None:
    vocabulary = README[README.index("## Vocabulary") :]
    assert all(re.search(rf"^\| \*\*{name}\*\* \|", vocabulary, flags=re.MULTILINE) for name in ("BER", "ER", "EC", "IV", "ALER"))


def test_every_verb_is_in_the_help_with_an_example() -> None:
    from barlow_core.cli import cli

    for name, command in cli.commands.items():
        assert command.epilog is not None, f"barlow {name} --help lacks an example"
        assert f"barlow {name} " in command.epilog
        assert command.help


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("verb", [[], ["study"], ["study", "interview"]])
def test_no_line_of_the_list_of_commands_is_cut(verb: list[str], width: int) -> None:
    from barlow_core.cli import cli

    said = CliRunner().invoke(cli, [*verb, "--help"], terminal_width=width)
    assert said.exit_code == 0
    assert "..." not in said.output[said.output.index("Commands:") :]
