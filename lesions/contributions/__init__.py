"""What each player contributes to a behaviour, with both its uncertainties.

Read result, single_lesions, shapley, banzhaf; then request, automatic, methods, screening, stopping; then
labelled_result, stimulus_error; then gradients.
"""
