"""Cross-validated decoding.

Read decode, task, folds, cross_validation, generalisation, control_tasks; then readout, labelled_result, result,
transfer.
"""
