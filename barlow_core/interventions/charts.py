"""How predictions follow the size of a change, as Vega-Lite."""

from __future__ import annotations

import pandas as pd

from barlow_core.interventions.kinds import (
    ALL,
    FEATURE,
    RANDOM_DIRECTION,
    RANDOM_FEATURE,
    RANDOM_REGION,
)
from barlow_core.interventions.words import CHART_TITLES
from barlow_core.vega import BLUE, GREEN, GREY, ORANGE, SCHEMA, Spec, config
from barlow_core.wording import count

KINDS = {
    FEATURE: ("this feature", BLUE),
    RANDOM_FEATURE: ("random features", ORANGE),
    RANDOM_DIRECTION: ("random directions", GREY),
}
REGIONS = {RANDOM_REGION: ("regions elsewhere", GREEN)}


def dose_charts(doses: pd.DataFrame, way: str, *, width: int = 270, height: int = 190) -> dict[str, Spec]:
    """Side -> rates against the size of the change; bands are intervals (of the feature) or the middle 90 % (of random features).

    Args:
        doses: of `judging.dose_table`.
        way: which of its ways.
        width, height: of the area within the axes, in pixels.
    """
    rows = doses[doses["way"] == way]
    return {
        side: _dose_chart(rows[rows["side"] == side], side, width, height)
        for side in CHART_TITLES
        if (rows["side"] == side).any()
    }


def _dose_chart(rows: pd.DataFrame, side: str, width: int, height: int) -> Spec:
    kinds = {kind: words for kind, words in (KINDS | REGIONS).items() if (rows["changed"] == kind).any()}
    table = rows.assign(changed=rows["changed"].map({kind: name for kind, (name, _) in kinds.items()}))
    kept = ["changed", "dose", "length", "rate", "rate_low", "rate_high", "n"]
    colour = {
        "field": "changed",
        "type": "nominal",
        "title": None,
        "scale": {"domain": [name for name, _ in kinds.values()], "range": [colour for _, colour in kinds.values()]},
        "legend": {"orient": "bottom", "columns": 2, "symbolType": "stroke", "symbolOpacity": 1, "symbolStrokeWidth": 3},
    }
    x = {"field": "dose", "type": "quantitative", "title": "Size of the change", "axis": {"format": ".0%", "tickCount": 4}}
    scale = {"domain": [0, 1]}
    y = {"field": "rate", "type": "quantitative", "title": None, "axis": {"format": ".0%", "tickCount": 4}, "scale": scale}
    tooltip = [
        {"field": "changed", "type": "nominal", "title": "Changed"},
        {"field": "dose", "type": "quantitative", "title": "Size", "format": ".0%"},
        {"field": "length", "type": "quantitative", "title": "l2 length", "format": ".3f"},
        {"field": "rate", "type": "quantitative", "title": "Share", "format": ".1%"},
        {"field": "n", "type": "quantitative", "title": "Images"},
    ]
    band = {
        "transform": [{"filter": "isValid(datum.rate_low)"}],
        "mark": {"type": "area", "opacity": 0.15},
        "encoding": {"x": x, "y": {**y, "field": "rate_low"}, "y2": {"field": "rate_high"}, "color": colour},
    }
    line = {
        "mark": {"type": "line", "point": {"size": 28}, "strokeWidth": 2},
        "encoding": {"x": x, "y": y, "color": colour, "tooltip": tooltip},
    }
    return {
        "$schema": SCHEMA,
        "title": {"text": CHART_TITLES[side], "subtitle": f"share of {count(int(rows['n'].max()), 'image')}", "fontSize": 13},
        "data": {"values": table[kept].astype(object).where(table[kept].notna(), None).to_dict("records")},
        "width": width,
        "height": height,
        "layer": [band, line],
        "config": config(),
    }


NOISED = {
    "core": ("core features", ORANGE),
    "spurious": ("spurious features", BLUE),
    "random place, shape of core": ("random places, as large as core", "#e9b487"),
    "random place, shape of spurious": ("random places, as large as spurious", "#8fbcd9"),
}


def noise_chart(accuracy: pd.DataFrame, class_name: str, *, width: int = 230, height: int = 190) -> Spec:
    """Accuracy against noise, one panel for each model, a line for each region that is noised; bands are intervals.

    Args:
        accuracy: of `relying.Relied`.
        class_name: which of its classes, or "all classes".
    """
    rows = accuracy[accuracy["class_name"] == class_name]
    kinds = {kind: words for kind, words in NOISED.items() if (rows["region"] == kind).any()}
    table = rows.assign(region=rows["region"].map({kind: name for kind, (name, _) in kinds.items()}))
    domain, colours = [name for name, _ in kinds.values()], [colour for _, colour in kinds.values()]
    colour = {
        "field": "region",
        "type": "nominal",
        "title": "Noise on",
        "scale": {"domain": domain, "range": colours},
        "legend": {"orient": "bottom", "columns": 2, "symbolType": "stroke", "symbolOpacity": 1, "symbolStrokeWidth": 3},
    }
    x = {"field": "sigma", "type": "quantitative", "title": "Noise (deviation)", "axis": {"tickCount": 4}}
    y = {
        "field": "accuracy",
        "type": "quantitative",
        "title": None,
        "axis": {"format": ".0%", "tickCount": 4},
        "scale": {"domain": [0, 1]},
    }
    line = {"mark": {"type": "line", "point": {"size": 28}, "strokeWidth": 2}, "encoding": {"x": x, "y": y, "color": colour}}
    band = {
        "mark": {"type": "area", "opacity": 0.12},
        "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour},
    }
    panels = [
        {
            "title": {"text": str(model), "fontSize": 12},
            "width": width,
            "height": height,
            "transform": [{"filter": {"field": "model", "equal": model}}],
            "layer": [band, line],
        }
        for model in dict.fromkeys(rows["model"])
    ]
    values = table[["model", "region", "sigma", "accuracy", "low", "high", "n"]].to_dict("records")
    title = {
        "text": "Accuracy under noise",
        "subtitle": f"{class_name}, {count(int(rows['n'].max()), 'image')}; bands are 95 % intervals",
    }
    return {"$schema": SCHEMA, "title": title, "data": {"values": values}, "hconcat": panels, "config": config(), "spacing": 24}


def gap_chart(gaps: pd.DataFrame, *, width: int = 420) -> Spec:
    """By how much the gap of each class exceeds that at random places, a mark for each model, with its interval.

    Args:
        gaps: of `relying.Relied`.
    """
    models, classes = list(dict.fromkeys(gaps["model"])), list(dict.fromkeys(gaps["class_name"]))
    order = [one for one in classes if one == ALL] + [one for one in classes if one != ALL]
    y = {"field": "class_name", "type": "nominal", "title": None, "sort": order}
    apart = {"field": "model", "type": "nominal", "sort": models}
    colour = {
        "field": "model",
        "type": "nominal",
        "title": "Model",
        "scale": {"domain": models, "range": [BLUE, ORANGE, GREEN, GREY] * (1 + len(models) // 4)},
        "legend": {"orient": "bottom", "columns": 2},
    }
    x = {
        "field": "beyond_random",
        "type": "quantitative",
        "title": "Core less spurious accuracy, beyond random places",
        "axis": {"format": "+.0%", "tickCount": 6},
    }
    ends = {"x": {**x, "field": "beyond_random_low"}, "x2": {"field": "beyond_random_high"}}
    shared = {"y": y, "yOffset": apart, "color": colour}
    kept = ["model", "class_name", "n", "beyond_random", "beyond_random_low", "beyond_random_high"]
    return {
        "$schema": SCHEMA,
        "title": {
            "text": "What models rely on",
            "subtitle": "right of 0: core features; left: spurious ones; lines are 95 % intervals",
        },
        "data": {"values": gaps[kept].to_dict("records")},
        "width": width,
        "height": {"step": max(10, 30 // len(models)), "for": "offset"} if len(models) > 1 else {"step": 24},
        "layer": [
            {
                "data": {"values": [{"zero": 0}]},
                "mark": {"type": "rule", "color": GREY, "strokeDash": [4, 3]},
                "encoding": {"x": {"field": "zero", "type": "quantitative"}},
            },
            {"mark": {"type": "rule", "strokeWidth": 2}, "encoding": {**shared, **ends}},
            {"mark": {"type": "point", "filled": True, "opacity": 1, "size": 60}, "encoding": {**shared, "x": x}},
        ],
        "config": config(),
    }
