"""One lesion: its record, and what it writes at its site.

Read time_window, reference, lesion; then broadcast, projection and noise, writer, combined. Of connections edge,
shares, edge_writer, stream_edges, edge_overlap, sender_changes, stream_cuts, edge_ends. Then interventions, context.
"""
