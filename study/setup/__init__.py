"""From a run to a study: which features it shows, their panels frozen beside it, and the study file."""
