"""The run whose gradient never arrived, done again with every way of binning."""
