"""How soon the trade monitor reports a fault, and whether it raises false alarms."""
