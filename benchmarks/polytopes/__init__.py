"""How fast exact partitions and their measures are."""
