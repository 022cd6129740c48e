"""Activity, trials and confounds in the forms that all probes take. Read activity, trial_values, units, confounds, then pooled_null."""
