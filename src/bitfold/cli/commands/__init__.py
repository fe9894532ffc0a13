"""The subcommands of ``bitfold``: a file for each, with its options and what it prints."""
