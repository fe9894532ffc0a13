"""The views of the studio in a notebook, without a server: `bitfold.studio.Widget`."""
