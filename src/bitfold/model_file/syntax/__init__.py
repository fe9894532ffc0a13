"""The parts of a .bitfold file, each with its writer beside its reader."""
