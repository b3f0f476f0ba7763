"""The tables of docs/blindspots.md from the rows of results/: `python -m benchmarks.blindspots.tables docs/blindspots.md`.

Standard errors are those of means over worlds, the benchmarks of one of which share their pictures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent / "results"
OURS = "barlow search"
RIVALS = ("tree, depth 3", "PlaneSpot's idea, weight 0.5", "Domino's idea, weight 10")
RATES = {"discovery_rate": "discovery rate", "false_discovery_rate": "false discovery rate"}
VARIANTS = {
    "oracle": "planted failures, general features",
    "general": "trained network, general features",
    "own": "trained network, its own features",
}


def clustered(values: pd.Series, clusters: pd.Series) -> tuple[float, float]:
    """Mean, and its standard error with clusters of unequal size: residuals are summed within each."""
    mean = values.mean()
    sums = (values - mean).groupby(clusters).sum()
    n = len(sums)
    return float(mean), float(np.sqrt(n / (n - 1) * (sums**2).sum()) / len(values)) if n > 1 else float("nan")


def written(values: pd.Series, clusters: pd.Series) -> str:
    mean, error = clustered(values, clusters)
    return f"{mean:.2f} ± {error:.2f}"


def main_table(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a variant and method."""
    table = []
    for (variant, method), part in rows.groupby(["variant", "method"], sort=False):
        line = {"": VARIANTS[str(variant)], "method": method, "benchmarks": len(part)}
        line |= {title: written(part[name], part["world"]) for name, title in RATES.items()}
        line["behind ours, discovery rate"] = _behind(rows, str(variant), part) if method != OURS else "–"
        table.append(line | {"hypotheses": f"{part['hypotheses'].mean():.1f}", "seconds": f"{part['seconds'].median():.2f}"})
    return pd.DataFrame(table)


def _behind(rows: pd.DataFrame, variant: str, part: pd.DataFrame) -> str:
    """The mean difference of discovery rates on the same benchmarks, and how many standard errors that is."""
    ours = rows[(rows["variant"] == variant) & (rows["method"] == OURS)].set_index("seed")["discovery_rate"]
    other = part.set_index("seed")
    difference = (ours - other["discovery_rate"]).dropna()
    mean, error = clustered(difference, other["world"].loc[difference.index])
    return f"{mean:.2f} ± {error:.2f}"


def by(rows: pd.DataFrame, column: str, methods: list[str]) -> pd.DataFrame:
    """Discovery and false discovery rate by a column of the benchmark, for some methods."""
    table = []
    for (variant, value), part in rows.groupby(["variant", column], sort=False):
        for method in methods:
            mine = part[part["method"] == method]
            if mine.empty:
                continue
            line = {"": VARIANTS[str(variant)], column: value, "method": method, "benchmarks": len(mine)}
            table.append(line | {title: written(mine[name], mine["world"]) for name, title in RATES.items()})
    return pd.DataFrame(table).sort_values(["", column], kind="stable")


def by_size(rows: pd.DataFrame, method: str) -> pd.DataFrame:
    """Share of the blindspots that `method` discovered, by the number of attributes that define them."""
    flat = []
    for record in rows[rows["method"] == method].to_dict("records"):
        parts = [str(record[name]).split() for name in ("sizes", "images", "discovered")]
        flat += [
            {"variant": record["variant"], "world": record["world"], "size": int(size), "images": int(n), "discovered": int(flag)}
            for size, n, flag in zip(*parts, strict=True)
        ]
    table = []
    for (variant, size), part in pd.DataFrame(flat).groupby(["variant", "size"], sort=False):
        line = {"": VARIANTS[str(variant)], "attributes": size, "blindspots": len(part)}
        table.append(
            line | {"images, median": int(part["images"].median()), "discovered": written(part["discovered"], part["world"])}
        )
    return pd.DataFrame(table).sort_values(["", "attributes"], kind="stable")


def cifar_table(rows: pd.DataFrame) -> pd.DataFrame:
    table = []
    for method, part in rows.groupby("method", sort=False):
        line = {"method": method, "trials": len(part)} | {
            title: written(part[name], part["seed"]) for name, title in RATES.items()
        }
        table.append(line | {"hypotheses": f"{part['hypotheses'].mean():.1f}"})
    return pd.DataFrame(table)


def markdown(table: pd.DataFrame) -> str:
    lines = ["| " + " | ".join(table.columns) + " |", "| " + " | ".join("---" for _ in table.columns) + " |"]
    return "\n".join([*lines, *("| " + " | ".join(str(value) for value in row) + " |" for row in table.to_numpy())])


def main() -> None:
    page = Path(sys.argv[1])
    runs = pd.read_csv(RESULTS / "runs.csv")
    planted = runs[runs["variant"].isin(VARIANTS)].sort_values(
        "variant", key=lambda column: column.map(list(VARIANTS).index), kind="stable"
    )
    tables = {"main": main_table(planted), "size": by_size(planted, OURS)}
    tables["blindspots"] = by(planted[planted["variant"] == "general"], "blindspots", [OURS, *RIVALS])
    tables["attributes"] = by(planted, "attributes", [OURS])
    if (RESULTS / "cifar.csv").exists():
        tables["cifar"] = cifar_table(pd.read_csv(RESULTS / "cifar.csv"))
    if (RESULTS / "luck.csv").exists():
        tables["luck"] = pd.read_csv(RESULTS / "luck.csv")
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        start = text.index(f"<!-- table: {name} -->\n") + len(f"<!-- table: {name} -->\n")
        text = text[:start] + markdown(table) + "\n" + text[text.index("<!-- end -->", start) :]
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
