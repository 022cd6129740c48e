"""Signal detection: d' and ROC curves of units and populations.

Read detectability, roc, result, population, signal_detection.
"""
