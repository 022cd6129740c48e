"""Statistics that every analysis shares. Read intervals, p_values, permutations, then text."""
