"""What a module does, as affine operations and bends."""
