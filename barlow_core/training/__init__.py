"""Robust networks of one's own: objective (1) of the paper."""
