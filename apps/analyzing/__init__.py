"""The parts of the analyst's page (apps/analyze.py)."""
