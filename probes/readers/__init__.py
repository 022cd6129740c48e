"""Readers: estimators that predict labels from activity, at many places and for many label sets at once.

Read protocol, linear, ridge, ridge_solutions, shifted_systems, lda, logistic, poisson, scikit, by_name.
"""
