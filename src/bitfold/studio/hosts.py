"""The addresses that only this machine can reach."""

from __future__ import annotations

from typing import Final

LOCAL_HOSTS: Final = ("127.0.0.1", "localhost", "::1")
