"""Readers: estimators that predict labels from activity. Read protocol, linear, ridge, ridge_solutions, lda, logistic,
scikit, then select."""
