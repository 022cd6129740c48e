"""Signal detection: d' and ROC curves of units and populations. Read detectability, roc, result, population, then signal_detection."""
