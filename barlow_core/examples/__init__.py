"""Benchmarks that everybody has: the embedded example, the photographs of groceries, and made-up ones whose truth is known."""
