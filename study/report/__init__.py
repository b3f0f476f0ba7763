"""Figures, tables and text of a study, ready for a paper: on pages, as files, as one document."""
