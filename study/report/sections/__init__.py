"""The sections of a results part, in its order."""
