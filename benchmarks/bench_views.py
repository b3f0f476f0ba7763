"""What a click in the browse app costs: every call below the pages, on a run of 300,000 images and 2,000 groups.

    python benchmarks/bench_views.py                      1,000 classes x 300 images, 256 features, label and prediction
    python benchmarks/bench_views.py --features 2048      as ResNet-50 has (2.3 GiB of features)
    python benchmarks/bench_views.py --classes 50         a quick look
    python benchmarks/bench_views.py --run FOLDER         keep the run there, and use it again

Each call is made for several groups, the largest one among them, with nothing cached between calls (the app caches on top). Where
one would do the same with the libraries alone, that stands beside it: whole files read by json and numpy, a search from scratch.
Memory is that of the process without the pages of memory-mapped files, which the system takes back when it needs them; torch is
never imported.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from barlow_core import export, views
from barlow_core.analyses import Checks, explain_run, searched_group
from barlow_core.examples import synthetic
from barlow_core.failure_modes import explain
from barlow_core.run import Run
from barlow_core.statistics import cross_fit
from barlow_core.views import suggestions
from barlow_core.views.judgements import Judgements

LIMIT_MS, LIMIT_MB = 1000, 500
FEW = 9


def memory() -> float:
    """MB of this process that are its own."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")) / 1000


def times(calls: list[Callable[[], object]]) -> tuple[float, float, float]:
    """Median and longest time of some calls, and the longest time of the processor, in ms; of each the best of two rounds counts."""
    walls, processors = [], []
    for call in calls:
        rounds = []
        for _ in range(2):
            started = time.perf_counter(), time.process_time()
            call()
            rounds.append((time.perf_counter() - started[0], time.process_time() - started[1]))
        wall, processor = np.min(rounds, axis=0) * 1000
        walls.append(wall)
        processors.append(processor)
    return float(np.median(walls)), max(walls), max(processors)


def measure(run: Run, n_groups: int = 12) -> pd.DataFrame:
    """One row a call: median and longest ms, the longest ms of the processor (which other programs on the machine do not change), MB
    of the process afterwards, the alternative's median ms, and how many times as long it takes."""
    groups = run.groups()
    depth = views.depths(run)[-1]
    modes = views.mode_table(run, depth=depth)
    largest = groups["group"].iloc[int(groups["n_images"].to_numpy().argmax())]
    keys = list(dict.fromkeys([str(largest), *modes["group"].sample(min(n_groups, len(modes)), random_state=0)]))
    evaluations = {key: views.re_evaluate(run, key) for key in keys}
    nodes = {key: max(e.analysis.leaves, key=lambda leaf: leaf.n_images) for key, e in evaluations.items()}
    table = views.group_table(run, depth=depth)
    pictures = {key: views.images_of(run, key, nodes[key]) for key in keys}
    all_features = run.features()
    trees = run.path / "trees.json"
    rows: list[dict[str, object]] = []

    def add(
        what: str, call: Callable[[str], object], other: Callable[[str], object] | None = None, *, once: bool = False
    ) -> None:
        chosen = keys[:1] if once else keys
        median, longest, processor = times([lambda key=key: call(key) for key in chosen])  # type: ignore[misc]
        # The alternative may take long: a few groups are enough.
        beside = None if other is None else times([lambda key=key: other(key) for key in chosen[:3]])[0]  # type: ignore[misc]
        rows.append(
            {"call": what, "ms": median, "longest": longest, "processor": processor, "MB": memory(), "alternative": beside}
        )
        print(f"  {what}: {median:.1f} ms", file=sys.stderr)

    add("open the run, read its images", lambda _: len(Run(run.path).benchmark), once=True)
    add("classes by error", lambda _: views.classes(run), once=True)
    add("confusion pairs", lambda _: views.confusion_pairs(run), once=True)
    add("table of all groups", lambda _: views.group_table(run, depth=depth), lambda _: json.loads(trees.read_bytes()), once=True)
    add("search and sort it", lambda key: views.find_groups(table, key.split(":")[1], sort="importance_value"))
    add("where failure modes concentrate", lambda _: views.concentration(run, depth=depth), once=True)
    add("a group's tree", lambda key: views.re_evaluate(run, key), lambda key: json.loads(trees.read_bytes())["groups"][key])
    add("other delta and tau", lambda key: views.re_evaluate(run, key, delta=0.02, tau=0.05))
    add(
        "another leaf size, held-out too",
        lambda key: views.re_evaluate(run, key, min_leaf=9),
        lambda key: search_again(run, key, depth),
    )
    add("rates of all its nodes", lambda key: views.node_rates(run, key, evaluations[key]))
    add(
        "all images of a node",
        lambda key: views.images_of(run, key, nodes[key]),
        lambda key: nodes[key].contains(np.load(run.features_path)[searched_group(run, key).indices]),
    )
    add("filter, sort, one page", lambda key: one_page(run, pictures[key]))
    add("values of an image", lambda key: views.values_of_image(run, key, 5, evaluations[key].analysis.features.tolist()))
    add("distribution of a feature", lambda key: views.distribution(run, key, int(evaluations[key].analysis.features[0])))
    add("lowest and highest images", lambda key: views.extremes(run, key, int(evaluations[key].analysis.features[0])))
    add(
        "similar features",
        lambda key: views.similar_features(run, key, int(evaluations[key].analysis.features[0])),
        lambda key: np.corrcoef(all_features[searched_group(run, key).indices], rowvar=False),
    )
    add("suggestions, with 40 images for the gap", lambda key: suggestions.suggest(run, key, evaluations[key], nodes[key].number))
    add("suggestions without", lambda key: suggestions.suggest(run, key, evaluations[key], nodes[key].number, gap=0))
    add("what stands of 300 judgements", lambda _: Judgements(run).table(), once=True)
    add("report of 5 failure modes (no image files)", lambda _: export.report(run, export.strongest(run, top=5)), once=True)
    found = pd.DataFrame(rows)
    return found.assign(ratio=found["alternative"] / found["ms"])


def search_again(run: Run, key: str, depth: int) -> object:
    """The search of a group from scratch, with cross-fitting."""
    indices = searched_group(run, key).indices
    features, failure = run.features()[indices], run.benchmark.failure[indices]
    return cross_fit(features, failure, [explain(features, failure, min_leaf=9, depth=depth)])


def one_page(run: Run, table: pd.DataFrame) -> object:
    failures = views.filter_images(table, outcome="failures")
    return views.image_page(run, views.sort_images(failures, "random"), page=2)


def prepare(folder: Path, *, classes: int, images_per_class: int, features: int) -> Run:
    """The explained run, made where it is not there yet."""
    if (folder / "run.json").is_file():
        run = Run(folder)
    else:
        run, _ = synthetic.make(
            folder, classes=classes, images_per_class=images_per_class, n_features=features, share=0.25, modes_per_class=2
        )
    if not run.is_current("explain"):
        # As the command does, but for the number of shuffles, which changes nothing here but p.
        explain_run(run, depth=2, checks=Checks(permutations=FEW), min_leaf=None, progress=True)
    judgements = Judgements(run)
    for i in range(300 - len(judgements.history())):
        judgements.record(i % features, author=f"author {i % 7}", name=f"name {i}", verdict="unsure")
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--images-per-class", type=int, default=300)
    parser.add_argument("--features", type=int, default=256)
    parser.add_argument("--run", type=Path, help="a folder for the run; the default is one that is deleted at the end")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.run or Path(temporary) / "run"
        run = prepare(folder, classes=arguments.classes, images_per_class=arguments.images_per_class, features=arguments.features)
        run = Run(folder)  # as the app opens it
        before = memory()
        found = measure(run)
        sizes = f"{len(run.benchmark):,} images, {len(run.groups()):,} groups, {run.features().shape[1]:,} features"
        print(f"\n{sizes}; trees.json {(folder / 'trees.json').stat().st_size / 1e6:.1f} MB; memory before {before:.0f} MB\n")
        print(found.to_string(index=False, float_format=lambda value: f"{value:.1f}", na_rep=""))
        slow, busy, most = found["longest"].max(), found["processor"].max(), found["MB"].max()
        print(
            f"\nlongest call {slow:.0f} ms, {busy:.0f} ms of the processor (limit {LIMIT_MS}); most memory {most:.0f} MB (limit {LIMIT_MB})"
        )
        print(f"torch imported: {'torch' in sys.modules}")


if __name__ == "__main__":
    main()
