"""Options, progress and summaries that commands share."""
