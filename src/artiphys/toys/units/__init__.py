"""Networks of a few units: logic, textbook games, decoys, and answers that lie in connections.

Read logic, textbook, decoys, connections.
"""
