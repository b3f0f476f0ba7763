"""The statistics of a study: pure functions over tables of answers, with intervals for answers that share items and workers."""
