"""Numbers to bits and back: every syntax of a ``.bitfold`` stream, its writer beside its reader.

- ``rans``: the coder itself, from symbols to words of 16 bits and back;
- ``numbers``: plain bits, Golomb numbers and flags;
- ``streams``: `StreamWriter` and `StreamReader`, which all that follows writes to and reads from;
- ``scales``: the scales of tensors, rows and columns;
- ``laplace``: whole numbers, coded by integer tables of Laplace and logistic distributions;
- ``contexts``: whole numbers, coded by adaptive bits that need no parameters;
- ``fixed_point``: a small network in integer arithmetic, and bins coded by its probabilities.

Names follow one rule. A compiled ``put_*`` appends symbols to an array, and the ``get_*`` beside it
takes them from a decoder's state. A ``write_*`` takes a `StreamWriter`, the ``read_*`` beside it a
`StreamReader`. A ``*_bits`` counts the bits that the writer takes.
"""
