"""Statistics that every analysis shares.

Read seeds, intervals, trial_means, ratio_intervals, p_values, relabellings, exchangeable, permutations, text.
"""
