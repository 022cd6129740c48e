"""Shapley and Banzhaf values and interactions from coalitions: weights and errors out, no network inside.

Read estimate, kernel, enumeration; then pair_designs, odd_polynomials, linear_smoothers, smoothers, cross_fitting; then
permutation_sampling; then interaction_weights, interaction_models, interaction_estimate.
"""
