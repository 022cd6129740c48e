"""Other methods of the field, each at its documented setting, to compare on the same networks.

Read shapley_values (estimates by msapy, shapiq and captum), gradients, searches, readings, then listed.
"""

from artiphys.verification.peers.listed import missing_packages, peer_methods

__all__ = ["missing_packages", "peer_methods"]
