"""Parts of PyTorch that begin to work without the slow imports of PyTorch's own way."""
