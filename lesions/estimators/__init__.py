"""Shapley and Banzhaf values from the values of coalitions: pure numerics, without a network.

Read estimate, enumeration, kernel, pair_designs, odd_polynomials, smoothers, cross_fitting, then permutation_sampling."""
