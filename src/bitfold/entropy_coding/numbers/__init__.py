"""Single numbers: plain bits, Golomb numbers, flags."""
