"""Werkpuls: predictive maintenance and visual inspection for bakeries and workshops."""
