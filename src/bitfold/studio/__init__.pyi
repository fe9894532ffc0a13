from bitfold.studio.notebook.widget import Widget
from bitfold.studio.server.serve import serve

__all__ = ["Widget", "serve"]
