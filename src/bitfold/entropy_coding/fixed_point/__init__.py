"""A small network in integer arithmetic, and bins coded by the probabilities that it gives.

A floating-point network gives other last bits on another machine, and a decoder that gets another
probability reads nothing but noise from then on. So whole numbers are sent, and everything from a
weight's coordinates to the frequency of its bin is integer arithmetic that no input can make
overflow. K's hard bits and the model file share it; docs/file-format.md specifies it to the bit.
"""
