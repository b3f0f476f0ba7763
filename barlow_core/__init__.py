"""Barlow: find where an image classifier fails, and see what those images have in common.

from barlow_core import Benchmark, Run, explain_run, extract, load, visualize

run = Run.create("runs/mine", Benchmark.from_csv("images", "metadata.csv"))
extract(run, load("robust_resnet50"), progress=True)
explain_run(run, progress=True)
visualize(run, progress=True)
run.failure_modes()
"""
