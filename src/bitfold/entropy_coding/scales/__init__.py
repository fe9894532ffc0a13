"""The scales of tensors, rows and columns: whole numbers, coded in turn."""
