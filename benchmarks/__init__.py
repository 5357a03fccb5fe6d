"""Measurements: each is a program (`python -m benchmarks.NAME [--json]`) that ends with one JSON object."""
