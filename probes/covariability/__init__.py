"""Correlations between units, of signal and of noise, and the variability of counts.

Read correlations, strata, noise_correlation, signal_correlation, fano; then result.
"""
