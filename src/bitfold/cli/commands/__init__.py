"""One module a command of `bitfold`."""
