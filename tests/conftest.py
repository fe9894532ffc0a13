"""How many examples property tests try: few in `make test`, many in `make test-all`."""

from hypothesis import settings

#: The same few examples in each run, without a deadline, as a machine may be busy.
settings.register_profile("daily", max_examples=20, deadline=None, derandomize=True)
#: Many examples, different in each run: `pytest --hypothesis-profile=all`.
settings.register_profile("all", max_examples=100, deadline=None)
settings.load_profile("daily")
