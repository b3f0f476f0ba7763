"""The interviews of practitioners in a study file.

`Interviews` is the one door, as `StudyStore.interviews`. Behind it: `schema` (the tables), `people` (invitations, registration,
withdrawal), `drawing` (who sees which groupings), `sessions` (parts and the clock), `answering` (answers, quotes, codings),
`opinions` (the closing survey, which nobody reads by participant) and `frames` (tables).
"""
