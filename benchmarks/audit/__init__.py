"""How soon the trade monitor reports a fault, and whether it keeps quiet otherwise."""
