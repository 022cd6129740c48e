"""One lesion: its record, and what it writes at its site.

Read time_window, reference, lesion; then broadcast, projection and noise, writer, combined, context.
"""
