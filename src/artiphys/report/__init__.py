"""`artiphys examine` and its report.

Read subjects, examine, findings, small_print, page.
"""
