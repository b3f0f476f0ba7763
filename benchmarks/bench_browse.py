"""What a click in the browse app costs, page and all, on a run of 300,000 images and 2,000 groups.

    python benchmarks/bench_browse.py                      1,000 classes x 300 images, 256 features, label and prediction
    python benchmarks/bench_browse.py --classes 50         a quick look
    python benchmarks/bench_browse.py --run FOLDER         keep the run there, and use it again

The app runs in this process (Streamlit's AppTest) and is clicked through as a person would; a click is everything from the click to
the last element of the page. Most clicks come to groups that nobody has opened before. At the end stands what a page
without the app's views would do to open a group: read the files from end to end and select in them. Memory is that of the process
without the pages of memory-mapped files, which the system takes back when it needs them.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from bench_views import LIMIT_MB, LIMIT_MS, memory, prepare
from PIL import Image
from streamlit.testing.v1 import AppTest

from barlow_core import views
from barlow_core.groups import parse
from barlow_core.run import Run
from barlow_core.storage.shipped import apps_dir

VISITED = 6  # groups


def pictures(run: Run, keys: list[str]) -> None:
    """Put a photograph behind every image of some groups; a synthetic run has none."""
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    packed = io.BytesIO()
    Image.fromarray(noise).resize((224, 224)).save(packed, "JPEG", quality=60)
    for key in keys:
        for i in parse(run.benchmark, key).indices:
            path = run.benchmark.images_dir / run.benchmark.names[i]
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_bytes(packed.getvalue())


class Visit:
    """Somebody who clicks through the app; keeps how long each click took."""

    def __init__(self, run: Run):
        self.rows: list[dict[str, object]] = []
        sys.path.insert(0, str(apps_dir()))
        sys.argv = ["browse.py", str(run.path)]
        self.page = AppTest.from_file(str(apps_dir() / "browse.py"), default_timeout=120)

    def __call__(self, what: str, do: Callable[[AppTest], object]) -> None:
        started, worked = time.perf_counter(), time.process_time()
        do(self.page)
        self.page.run()
        seconds, cpu = time.perf_counter() - started, time.process_time() - worked
        problems = [*self.page.exception, *self.page.error]
        assert not problems, (what, problems)
        self.rows.append({"click": what, "ms": seconds * 1000, "cpu": cpu * 1000, "MB": memory()})
        print(f"  {what}: {seconds * 1000:.0f} ms, {memory():.0f} MB", file=sys.stderr)

    def table(self) -> pd.DataFrame:
        """A row a kind of click: how often, median and longest ms, the same of the processor's, most MB."""
        found = pd.DataFrame(self.rows).groupby("click", sort=False)
        return found.agg(
            n=("ms", "size"),
            ms=("ms", "median"),
            longest=("ms", "max"),
            cpu=("cpu", "median"),
            most_cpu=("cpu", "max"),
            MB=("MB", "max"),
        ).reset_index()


def address(page: AppTest, /, **parameters: str) -> None:
    """Change the URL."""
    for name, value in parameters.items():
        page.query_params[name] = value


def whole_files(run: Run, key: str) -> object:
    """A group read without the library's views: every file from end to end."""
    trees = json.loads((run.path / "trees.json").read_bytes())["groups"][key]
    images, modes = (pd.read_parquet(run.path / f"{name}.parquet") for name in ("images", "failure_modes"))
    features = np.load(run.features_path)
    inside = parse(run.benchmark, key).indices
    return trees, modes[modes["group"] == key], images.iloc[inside], features[inside]


def walk(run: Run, visit: Visit, keys: list[str]) -> None:
    """The clicks: the overview, then each group with its settings, nodes, features, images."""
    visit("open the app (first visit, with its imports)", lambda page: None)
    visit("the benchmark again", lambda page: None)
    visit("search 2,000 groups", lambda page: page.text_input(key="choose find").set_value("class_0042"))
    visit("only groups with failure modes", lambda page: page.toggle(key="choose only").set_value(True))
    visit("other depth of the overview", lambda page: address(page, depth="2"))
    visit("group by prediction", lambda page: address(page, grouping="prediction"))
    for key in keys:
        grouping, _, name = key.partition(":")
        place = {"grouping": grouping, "class": name, "page": "group"}

        def start(page: AppTest, place: dict[str, str] = place) -> None:
            page.query_params.clear()
            address(page, **place)

        visit("open a group", start)
        visit("choose a node", lambda page: address(page, node="1"))
        visit("all images of the group", lambda page: address(page, node="0", show="all"))
        visit("sort by a feature", lambda page: page.selectbox(key="choose sort").set_value("highest"))
        visit("next images", lambda page: page.button(key="after").click())
        visit("delta", lambda page: page.number_input(key="choose delta").set_value(0.02))
        visit("a larger leaf", lambda page: page.number_input(key="choose leaf").set_value(9))
        for more in ("extremes", "similar"):
            visit(f"a feature: {more}", partial(address, more=more))
        visit("an image in full size", partial(address, image=str(parse(run.benchmark, key).indices[0])))
    visit("notes", _notes)
    visit("take away, with five failure modes", lambda page: address(page, page="export", kept=_five(run)))


def _notes(page: AppTest) -> None:
    page.query_params.clear()
    address(page, page="notes")


def _five(run: Run) -> str:
    modes = views.mode_table(run, depth=1).head(5)
    return ",".join(f"{row.group}/{row.depth}/{row.leaf}" for row in modes.itertuples())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--images-per-class", type=int, default=300)
    parser.add_argument("--features", type=int, default=256)
    parser.add_argument("--run", type=Path, help="a folder for the run; the default is one that is deleted at the end")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.run or Path(temporary) / "run"
        prepare(folder, classes=arguments.classes, images_per_class=arguments.images_per_class, features=arguments.features)
        run = Run(folder)
        modes = views.mode_table(run, depth=1)
        keys = list(modes["group"].sample(min(VISITED, len(modes)), random_state=0))
        pictures(run, keys)
        visit = Visit(run)
        before = memory()
        walk(run, visit, keys)
        table = visit.table()
        print(
            f"\n{len(run.benchmark):,} images, {len(run.groups()):,} groups, {run.features().shape[1]:,} features; memory before {before:.0f} MB\n"
        )
        print(table.to_string(index=False, float_format=lambda value: f"{value:.0f}", na_rep=""))
        slow, work = table["longest"].iloc[1:].max(), table["most_cpu"].iloc[1:].max()
        print(
            f"\nbut for the first, the longest click took {slow:.0f} ms, of the processor's time {work:.0f} ms (limit {LIMIT_MS}); "
            f"most memory {table['MB'].max():.0f} MB (limit {LIMIT_MB})"
        )
        started, most = time.perf_counter(), memory()
        whole_files(run, keys[0])
        ours = float(table.loc[table["click"] == "open a group", "ms"].iloc[0])
        plain = (time.perf_counter() - started) * 1000
        print(
            f"open a group: ours {ours:.0f} ms with the whole page; reading the files from end to end, without any page, {plain:.0f} ms "
            f"({plain / ours:.1f} times) and {memory() - most:.0f} MB more"
        )


if __name__ == "__main__":
    main()
