"""The parts of a .bitfold file, each with its writer and its reader."""
