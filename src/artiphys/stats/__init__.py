"""Statistics that every analysis shares.

Read seeds, intervals, ratio_intervals, p_values, relabellings, permutations, text.
"""
