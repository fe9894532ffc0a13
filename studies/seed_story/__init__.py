"""The run whose gradient never arrived, repeated with every way of binning."""
