"""How fast, how steady and how good training is."""
