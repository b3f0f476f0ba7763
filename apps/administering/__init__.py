"""The admin page in parts: who may in, and what they see and do there."""
