"""Section 1: what the study consists of."""

from __future__ import annotations

import numpy as np
import pandas as pd

from barlow_core.vega import BLUE, GREEN
from barlow_core.wording import count
from study.analysis import Analysis
from study.report import charts
from study.report.elements import Figure, Number, Section, Table
from study.report.sections.base import as_text, figure, rows_of, table
from study.report.wording import MISSING, decimal, how, listed, nothing, sentence, share
from study.statistics.overview import Overview

TITLE = "The study"


def make(analysis: Analysis) -> Section:
    """Items, workers, answers, tasks, time, pay, exclusions."""
    found = analysis.overview
    return Section(
        id="overview",
        title=TITLE,
        lead=_lead(analysis, found),
        text=_text(analysis, found),
        numbers=_numbers(analysis, found),
        figures=_figures(analysis, found),
        tables=_tables(analysis, found),
        notes=(*analysis.study.notes, *([] if analysis.filters.is_empty else [analysis.filters.text])),
        banner=analysis.banner,
    )


def _lead(analysis: Analysis, found: Overview) -> str:
    if not found.n_answers:
        reason = nothing(analysis)
        if len(analysis.study.answers) or not found.n_listed:
            return sentence(reason)
        return sentence(f"{reason}: {count(found.n_listed, 'item waits', 'items wait')} for the first answer")
    text = f"{analysis.n_text}."
    if found.complete is not None:
        whole = "" if analysis.data is analysis.study else "Of the whole study, "
        items = count(found.n_wanting, "item")
        text += f" {whole}{found.complete:,} of {items} {'has' if found.complete == 1 else 'have'} all the wanted answers."
    return text


def _text(analysis: Analysis, found: Overview) -> tuple[str, ...]:
    if not found.n_answers:
        return ()
    sizes = [
        f"{count(int(row.items), 'item')} {'has' if row.items == 1 else 'have'} {count(int(row.answers), 'answer')}{' each' if row.items > 1 else ''}"
        for row in rows_of(found.per_item)
    ]
    answers = f"{count(found.n_answers, 'answer')} about {count(found.n_items, 'visualization')} from {count(found.n_workers, 'worker')}"
    first = f"We collected {answers}" if analysis.data is analysis.study else f"Filters and exclusions leave {answers}"
    if found.n_workers > 1:
        first += (
            f", who completed {decimal(found.tasks.mean())} of these tasks each on average (median {_half(found.tasks.median())}, {found.tasks.min():,} to "
            f"{found.tasks.max():,})"
        )
    sentences = [f"{first}.", f"{listed(sizes)}." if len(sizes) <= 4 else ""]
    if len(found.timed):
        low, middle, high = np.percentile(found.timed, [25, 50, 75])
        quartiles = f" (quartiles {low:,.0f} and {high:,.0f})" if len(found.timed) > 1 else ""
        sentences.append(f"{_time(found)} was {middle:,.0f} seconds{quartiles}.")
    if found.hourly is not None and analysis.study.pay_per_item:
        sentences.append(
            f"The pay is {analysis.study.pay_per_item} {analysis.study.currency} an item, "
            f"{decimal(found.hourly)} {analysis.study.currency} an hour at the mean time on task."
        )
    return (" ".join(sentence for sentence in sentences if sentence),)


def _time(found: Overview) -> str:
    return "The median time on task" if len(found.timed) > 1 else "The time on task"


def _half(median: float) -> str:
    """A median of whole numbers, which can lie between two of them: "2", "2.5"."""
    return decimal(median, 0 if float(median).is_integer() else 1)


def _numbers(analysis: Analysis, found: Overview) -> tuple[Number, ...]:
    tasks = found.tasks
    currency = analysis.study.currency
    numbers = [
        Number("Answers", f"{found.n_answers:,}", help="Accepted answers to items; practice and checks are not among them."),
        Number("Items", f"{found.n_items:,}", n=f"of {found.n_listed:,}", help="Items with at least one answer, of all items."),
        Number("Workers", f"{found.n_workers:,}", help="Who gave at least one of these answers."),
        Number(
            "Tasks per worker",
            decimal(tasks.mean()) if len(tasks) else MISSING,
            n=count(len(tasks), "worker"),
            help="Answers a worker, on average.",
        ),
    ]
    if found.complete is not None:
        numbers.append(
            Number(
                "Complete",
                share(found.complete / found.n_wanting, found.n_wanting),
                n=f"{found.complete:,} of {count(found.n_wanting, 'item')}",
                help="Items with all wanted answers, of the whole study, whatever is filtered.",
            )
        )
    if len(found.timed):
        numbers.append(
            Number(
                "Median time",
                f"{np.median(found.timed):,.0f} s",
                n=count(len(found.timed), "answer"),
                help="Time on task, without breaks.",
            )
        )
    if found.hourly is not None:
        numbers.append(
            Number(
                "Pay per hour",
                f"{decimal(found.hourly)} {currency}",
                n=count(len(found.timed), "answer"),
                help="Pay an item over the mean time on task.",
            )
        )
    if found.paid is not None:
        numbers.append(
            Number("Paid so far", f"{found.paid:,.2f} {currency}", n="whole study", help="For people only, whatever is filtered.")
        )
    return tuple(numbers)


def _figures(analysis: Analysis, found: Overview) -> tuple[Figure, ...]:
    reason = None if found.n_answers else nothing(analysis)
    tasks = found.tasks
    bins = charts.binned(tasks.to_numpy(), whole=True) if len(tasks) else pd.DataFrame(columns=["low", "high", "count"])
    figures = [
        figure(
            analysis,
            id="tasks_per_worker",
            title="Tasks per worker",
            caption="How many answers each worker gave. The line marks the mean.",
            computed=how(analysis, "count of accepted answers for each worker", packages=("pandas",)),
            text=f"{count(len(tasks), 'worker')} completed {decimal(tasks.mean())} tasks{' each on average' if len(tasks) > 1 else ''}."
            if len(tasks)
            else "",
            data=bins,
            content=None
            if reason
            else charts.histogram(
                bins,
                x_title="Answers",
                y_title="Workers",
                colour=BLUE,
                mark_at=float(tasks.mean()),
                mark_text=f"mean {decimal(tasks.mean(), 1)}",
            ),
            reason=reason,
        )
    ]
    timed = found.timed
    untimed = None if len(timed) else reason or "times on task are not known"
    # The few who went for lunch would squeeze everybody else into one bar; of fewer than a hundred answers all are drawn.
    most = float(np.percentile(timed, 99, method="higher")) if len(timed) else 0.0
    times = charts.binned(timed[timed <= most]) if len(timed) else bins.iloc[:0]
    longest = int((timed > most).sum())
    undrawn = (
        f" The longest {longest:,} of {count(len(timed), 'answer')} {'is' if longest == 1 else 'are'} not drawn."
        if longest
        else ""
    )
    figures.append(
        figure(
            analysis,
            id="time_on_task",
            title="Time on task",
            caption=f"Seconds for one answer, without breaks.{undrawn} The line marks the median.",
            computed=how(
                analysis,
                "seconds between showing and sending an item, gaps without a sign of life left out",
                n=count(len(timed), "answer"),
            ),
            text=f"{_time(found)} was {np.median(timed):,.0f} seconds." if len(timed) else "",
            data=times,
            content=None
            if untimed
            else charts.histogram(
                times,
                x_title="Seconds",
                y_title="Answers",
                colour=GREEN,
                mark_at=float(np.median(timed)),
                mark_text=f"median {np.median(timed):,.0f} s",
            ),
            reason=untimed,
        )
    )
    days = found.by_day
    undated = None if len(days) > 1 else "all answers are of one day" if len(days) else reason or "times of sending are not known"
    figures.append(
        figure(
            analysis,
            id="answers_by_day",
            title="Answers by day",
            caption="Accepted answers sent on each day (UTC).",
            computed=how(analysis, "count of accepted answers by day of sending (UTC)", packages=("pandas",)),
            text="",
            data=days,
            content=None if undated else _by_day(days),
            reason=undated,
        )
    )
    return tuple(figures)


def _by_day(days: pd.DataFrame) -> charts.Spec:
    rows = [{"day": str(row.day), "answers": int(row.answers), "total": int(row.total)} for row in rows_of(days)]
    tips = [{"field": name, "title": name} for name in ("day", "answers", "total")]
    # A few days are named one by one; months of them need an axis of time.
    kind = "ordinal" if len(rows) <= 20 else "temporal"
    axis = {"format": "%d %b", "labelOverlap": True, "labelAngle": 0}
    x = {"field": "day", "type": kind, "timeUnit": "utcyearmonthdate", "title": None, "axis": axis}
    y = {"field": "answers", "type": "quantitative", "title": "Answers", "axis": {"tickMinStep": 1}}
    return {
        "data": {"values": rows},
        "width": charts.WIDTH,
        "height": 160,
        "mark": {"type": "bar", "color": BLUE},
        "encoding": {"x": x, "y": y, "tooltip": tips},
    }


def _tables(analysis: Analysis, found: Overview) -> tuple[Table, ...]:
    sizes = found.per_item.assign(share=found.per_item["items"] / max(found.n_listed, 1))
    tables = [
        table(
            analysis,
            sizes,
            id="answers_per_item",
            title="Answers per item",
            caption="How many items have how many answers.",
            shown=as_text(sizes.assign(listed=found.n_listed), share_of="listed", share="share").drop(columns="listed"),
        ),
        table(
            analysis,
            found.left_out,
            id="left_out",
            title="What does not count",
            caption="Of the whole study, whatever is filtered. None of these is in any number of this report.",
        ),
    ]
    if len(found.platforms):
        tables.append(
            table(
                analysis,
                found.platforms,
                id="platforms",
                title="Where workers came from",
                caption="Answers and workers of each platform.",
            )
        )
    return tuple(tables)
