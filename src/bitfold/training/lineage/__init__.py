"""Runs that come from other runs: continued, branched off, or trained again."""
