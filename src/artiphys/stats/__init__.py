"""Statistics that every analysis shares.

Read seeds, intervals, p_values, permutations, text.
"""
