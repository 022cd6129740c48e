"""Games: a behaviour as a function of which players are intact.

Read protocol, player_lesions, overlap, game, evaluation, function_game.
"""
