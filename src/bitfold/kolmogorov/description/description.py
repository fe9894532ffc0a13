"""A description length, itemised."""

from dataclasses import dataclass

from bitfold.runtime.display.html_tables import html_table


@dataclass(frozen=True, eq=False)
class Description:
    """Number of bits that describe a module's weights, item by item.

    Args:
        items: bits of each part that a decoder needs, by name.
        num_weights: number of described weights, at least 1.
        note: a line below the table, such as how numbers that are not described were counted.

    Example:
        >>> description = Description({"weights": 30.0, "ranges": 64.0}, num_weights=10)
        >>> float(description)
        94.0
        >>> print(description)
                    bits  bits per weight
        weights     30.0            3.000
        ranges      64.0            6.400
        total       94.0            9.400
    """

    items: dict[str, float]
    num_weights: int
    note: str = ""

    @property
    def total(self) -> float:
        """Bits of all items together."""
        return sum(self.items.values())

    @property
    def bits_per_weight(self) -> float:
        """Bits of all items together, over the number of weights."""
        return self.total / self.num_weights

    def __float__(self) -> float:
        return self.total

    def _repr_html_(self) -> str:
        numbers = [*self.items.items(), ("total", self.total)]
        rows = [(name, f"{bits:,.1f}", f"{bits / self.num_weights:,.3f}") for name, bits in numbers]
        header = ("", "bits", "bits per weight")
        return html_table("Description", header, rows, emphasised=[len(rows) - 1])

    def __str__(self) -> str:
        rows = [*self.items.items(), ("total", self.total)]
        name_width = max(len(name) for name, _ in rows)
        bits_width = max(8, *(len(f"{bits:,.1f}") for _, bits in rows))
        lines = [f"{'':{name_width}}  {'bits':>{bits_width}}  bits per weight"]
        lines += [
            f"{name:{name_width}}  {bits:>{bits_width},.1f}  {bits / self.num_weights:>15,.3f}"
            for name, bits in rows
        ]
        return "\n".join([*lines, self.note] if self.note else lines)
