"""The trade monitor: does the combined loss fall where each term trades with the other?"""
