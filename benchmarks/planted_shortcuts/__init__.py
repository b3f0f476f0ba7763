"""Classifiers with a known shortcut: is it found by the failure modes, and confirmed by intervention? Is a useless clue not?

`python -m benchmarks.planted_shortcuts` draws, for each seed, small pictures of two classes with coloured squares, trains a small classifier on
them, and runs the whole pipeline on test pictures without telling it anything: extract, explain, intervene.

    red square     in 95 % of the training pictures of the first class, 5 % of the second: a shortcut. In half of the test pictures of
                   either class.
    blue square    in 30 % of all pictures, and the labels of these are wrong in 50 % of cases: failures concentrate where it is, but the
                   classifier cannot use it.
"""
