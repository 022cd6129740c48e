"""Tuning curves. Read tuning_curves, levels, level_moments, welch_test, result, bump_fits, then selectivity."""
