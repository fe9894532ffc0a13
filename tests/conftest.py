"""How many examples property tests try, and signals as a terminal's program has them."""

import signal

from hypothesis import settings

#: The same few examples in each run, without a deadline, as a machine may be busy.
settings.register_profile("daily", max_examples=20, deadline=None, derandomize=True)
#: Many examples, different in each run: `pytest --hypothesis-profile=all`.
settings.register_profile("all", max_examples=100, deadline=None)
settings.load_profile("daily")

# A shell starts what runs in its background with this signal ignored, and programs keep it so.
# Tests that interrupt themselves or a program would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
