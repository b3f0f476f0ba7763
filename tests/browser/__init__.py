"""Pages in a real browser. A package, so that its conftest.py does not hide the one above for tests that import from it."""
