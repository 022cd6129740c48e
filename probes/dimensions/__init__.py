"""Dimensionality of activity: participation ratio, and variance that repeats of stimuli share.

Read dimensionality, participation, shared_variance; then result.
"""
