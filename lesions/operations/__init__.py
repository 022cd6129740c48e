"""One lesion: its record and what it writes. Read lesion, time_window, reference, then writer, combined and context."""
