"""Components of population activity: principal ones, and demixed ones by condition and time.

Read components, design, margins, demixing, component_tests; then result.
"""
