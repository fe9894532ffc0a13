"""How each tensor of a module is to be coded: plans, before anything is written."""
