"""Shapley and Banzhaf values from coalitions: weights and errors out, no network inside.

Read estimate, kernel, enumeration; then pair_designs, odd_polynomials, smoothers, cross_fitting; then
permutation_sampling.
"""
