"""Both ways of the sampled engine."""

import pytest

from bitfold.polytopes.sampling import sampled


@pytest.fixture(params=["chain", "general"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with the compiled chain and with the recorded operations."""
    monkeypatch.setattr(sampled, "WIDEST_CHAIN", 10_000 if request.param == "chain" else 0)
    return str(request.param)
