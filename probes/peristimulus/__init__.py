"""Peri-stimulus time histograms.

Read psth, spike_trains, binning, smoothing; then result.
"""
