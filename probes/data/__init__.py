"""Activity, values of trials and confounds, in the forms that all probes take.

Read activity, trial_values, units, held_units, confounds, pooled_null.
"""
