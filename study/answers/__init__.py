"""What people answered, as tables: read from a study file or a CSV, filtered, checked, and who is left out."""
