"""The worker's page in parts: what a visit is at, what the form is given, the form itself, the pages around it."""
