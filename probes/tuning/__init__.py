"""Tuning curves of one or two stimuli.

Read tuning_curves, levels, level_moments, welch_test; then result, bump_fits, selectivity.
"""
