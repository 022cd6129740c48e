"""The scoreboard in README: methods against mechanisms. Run: python tutorials/scoreboard_picture.py [number] [seed]"""

import sys
import warnings
from pathlib import Path

import artiphys as ap
from artiphys import plotting

fresh, seed = (int(a) for a in (*sys.argv[1:], *("5", "1000")[len(sys.argv) - 1 :]))
toy = ap.toys.planted(8, 2)
edges = ap.toys.planted(8, 2, connections=True)
searches = [
    name
    for name, method in ap.verification.peer_methods().items()
    if any(method.applies(t, truth) for t in (toy, edges) for truth in t.truth if truth.analysis == "minimal circuits")
]
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="no truth of these toys is claimed")  # edges: these networks have units
    board = ap.verify(["minimal_circuit", *searches], toys=[], fresh=fresh, seed=seed)
print(board)
figure = plotting.plot_scoreboard(board).figure
figure.savefig(Path(__file__).with_name("scoreboard_picture.png"), dpi=110)
