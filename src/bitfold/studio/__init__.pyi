from bitfold.studio.server.serve import serve

__all__ = ["serve"]
