"""How loops are compiled once on a machine and kept; `bitfold.runtime.compiling` is the door."""
