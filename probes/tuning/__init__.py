"""Tuning curves of one or two stimuli.

Read tuning_curves, stimulus_axes, levels, level_moments, welch_test, sign_test, maps; then result, two_way,
two_way_model, fits, points, bumps, bump_fits, bump_errors, indices, selectivity.
"""
