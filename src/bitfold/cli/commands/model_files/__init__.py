"""Commands that write, read and describe model files."""
