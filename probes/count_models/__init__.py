"""Poisson models of spike counts by several named predictors.

Read encode_counts, predictors, poisson_fits; then result.
"""
