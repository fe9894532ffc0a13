"""Text for an example: the numbers below a thousand in digits and in words, by code."""

import torch
from torch import Tensor

ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = ["ten", "eleven", "twelve", "thir", "four", "fif", "six", "seven", "eigh", "nine"]
TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
LETTERS = "\n =" + "0123456789" + "abcdefghijklmnopqrstuvwxyz"
LENGTH, NUM_DIGITS = 32, 3


def in_words(number: int) -> str:
    """A number from 0 to 999 as it is said."""
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    small = ONES[rest] if rest < 10 else TEENS[ones] + "teen" * (ones > 2)
    large = small if rest < 20 else TENS[tens] + (f" {ONES[ones]}" if ones else "")
    return f"{ONES[hundreds]} hundred" + (f" {large}" if rest else "") if hundreds else large


def make_lines() -> Tensor:
    """One thousand lines such as "503=five hundred three", as numbers of letters."""
    lines = [f"{number:03}={in_words(number)}".ljust(LENGTH) for number in range(1_000)]
    return torch.tensor([[LETTERS.index(letter) for letter in line] for line in lines])
