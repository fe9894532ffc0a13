from bitfold.studio.server.serve import Settings, serve

__all__ = ["Settings", "serve"]
