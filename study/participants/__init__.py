"""Who takes part: platforms that send and pay people, and participants who do not exist, to try a study."""
