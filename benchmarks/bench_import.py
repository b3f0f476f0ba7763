"""Seconds and memory of reading a metadata CSV as large as ImageNet's training set, beside pandas.read_csv.

    python benchmarks/bench_import.py [--rows 1281167]

Images are not checked, which takes as long as their bytes need. What is timed: the columns found, every line, path and confidence checked,
classes named, labels and predictions as indices, their spelling compared. Each reader runs in a process of its own, for a tenth of the rows
and for all of them. "Table" is what the columns take, as text or finished, whichever is more; "extra" is the peak of memory above that: what
reading takes and gives back, and the 16 bytes a row of indices while the text that they are made of is still there.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

N_CLASSES = 1000
MB = 1 << 20


def write(path: Path, n_rows: int) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, N_CLASSES, n_rows)
    predictions = np.where(rng.random(n_rows) < 0.76, labels, rng.integers(0, N_CLASSES, n_rows))
    confidence = rng.random(n_rows)
    with path.open("w", encoding="utf-8") as file:
        file.write("Filenames,Labels,Predictions,Confidence\n")
        for i in range(n_rows):
            label, predicted = f"n{labels[i]:08d}", f"n{predictions[i]:08d}"
            file.write(f"{label}/{label}_{i}.JPEG,{label},{predicted},{confidence[i]:.6f}\n")


def ours(path: Path) -> tuple[int, float]:
    """Read by Barlow: the number of rows, and MB in use with the columns there, as text or as they are at the end."""
    from barlow_core.benchmark.assembling import Wishes, encode_classes, name_classes
    from barlow_core.benchmark.metadata import read_metadata

    table, problems = read_metadata(path, images_dir=path.parent / "images")
    as_text = resident()
    table, classes = name_classes(table, problems, None, Wishes())
    encode_classes(table, classes, problems, source=str(path))
    assert not problems.of_row
    return len(table), max(as_text, resident())


def theirs(path: Path) -> tuple[int, float]:
    """The same by pandas, which checks nothing."""
    import pandas as pd

    table = pd.read_csv(path)
    return len(table), resident()


def one(reader: str, path: Path) -> None:
    """What a process of its own does: read once, and print what it took."""
    import barlow_core.benchmark  # noqa: F401  so that imports count for neither

    start, before = resident(), (time.perf_counter(), time.process_time())
    n_rows, in_use = {"barlow": ours, "pandas": theirs}[reader](path)
    took = time.perf_counter() - before[0], time.process_time() - before[1]
    print(json.dumps({"seconds": took[0], "cpu": took[1], "table": in_use - start, "extra": peak() - in_use, "rows": n_rows}))


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB


def resident() -> float:
    """MB in use now, after what can be given back was given back (Linux)."""
    import gc

    import pyarrow as pa

    gc.collect()
    pa.default_memory_pool().release_unused()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / MB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_281_167)
    parser.add_argument("--one", nargs=2, metavar=("READER", "CSV"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one(arguments.one[0], Path(arguments.one[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        for n_rows in (arguments.rows // 10, arguments.rows):
            path = Path(folder) / f"{n_rows}.csv"
            write(path, n_rows)
            found = {}
            for reader in ("barlow", "pandas"):
                command = [sys.executable, __file__, "--one", reader, str(path)]
                found[reader] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                print(
                    f"{n_rows:>9,} rows  {reader}  {found[reader]['seconds']:6.1f} s  ({found[reader]['cpu']:.1f} s of CPU)  "
                    f"table {found[reader]['table']:5.0f} MB  extra {found[reader]['extra']:5.0f} MB"
                )
            print(f"{n_rows:>9,} rows  ratio   {found['barlow']['cpu'] / found['pandas']['cpu']:6.1f} in CPU time")


if __name__ == "__main__":
    main()
