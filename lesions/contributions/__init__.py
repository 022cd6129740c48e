"""What each player contributes. Read result, single_lesions, shapley and banzhaf, then request, automatic, methods,
screening, stopping, labelled_result, stimulus_error and gradients."""
