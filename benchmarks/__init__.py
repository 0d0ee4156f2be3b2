"""Measurements, not tests: each writes JSON with the machine, the versions and the commit beside the numbers."""
