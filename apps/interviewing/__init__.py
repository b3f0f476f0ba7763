"""The interview in parts: the participant's page, the interviewer's, and what both show of a session."""
