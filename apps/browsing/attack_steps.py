"""The feature attack on its way: one image, step by step."""

from __future__ import annotations

import streamlit as st
from shared.html import figure, plain

from barlow_core import views
from barlow_core.panels import attack_frames
from barlow_core.run import Run
from browsing.data import of_group
from browsing.jobs import find, jobs, show_job, start

STAGES = 5


def show_attack_steps(run: Run, key: str, feature: int, *, read_only: bool) -> None:
    """The attack on the group's most activating image, step by step, or a button that makes the pictures."""
    _, highest = of_group(run, views.extremes, key, feature, n=8)
    if highest.empty:
        st.info("This group has no image to attack.")
        return
    position, name = int(highest["position"].iloc[0]), str(highest["name"].iloc[0])
    found = attack_frames.found_frames(run, position, feature, frames=STAGES)
    if found is None:
        place = f"stages {position} {feature}"
        show_job(
            find(run, place),
            lambda: start(run, place, lambda: jobs().frames(run, position, feature, frames=STAGES)),
            label="Show the attack step by step",
            hint=plain(f"{name}, the image in which the feature is highest, changed step by step to raise it further."),
            key=place,
            read_only=read_only,
        )
        return
    pictures = "".join(
        figure(
            row["path"],
            alt=f"{name} after {row['step']} steps of the attack on feature {feature}, distance {row['distance']:.1f}",
            caption=f"step {row['step']} · {row['activation']:.3f}",
        )
        for row in found.table.to_dict("records")
    )
    st.html(f'<div class="bw-few">{pictures}</div>')
    st.caption(plain(f"{name}, changed to raise feature {feature}. Below each: the step and the feature's value."))
