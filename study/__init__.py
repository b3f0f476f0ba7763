"""The crowd study of section 8: who is shown what, what they answered, and where that is kept.

from study.store import StudyStore

store = StudyStore.create("runs/mine/study.sqlite", items=["tiger-f17", "tiger-f401"], answers_per_item=5)
item = store.claim("worker 1")
store.submit("worker 1", item.id, {"short": "striped fur", "long": "...", "ease": 4, "confidence": 5, "useful": "B"}, item.token)
store.answers()
"""
