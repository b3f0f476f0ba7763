"""How well failure modes explain failures over all classes, as tables and as plots (section 7, appendix E)."""
