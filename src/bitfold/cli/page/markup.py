"""HTML whose text is always escaped."""

from __future__ import annotations

from html import escape

#: Elements without an end.
_VOID = frozenset({"img", "meta"})


class Markup(str):
    """Text that is HTML already; any other text is escaped where it meets it.

    Source: the idea of MarkupSafe (Pallets); none of its code.
    """

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str) -> Markup:
    """An element.

    Args:
        name: of the element.
        children: text, which is escaped, or `Markup`.
        attributes: by name; a trailing underscore is dropped, others become dashes. An empty class
            is left out.

    Example:
        >>> tag("p", "a < b", tag("b", "!"), class_="note")
        '<p class="note">a &lt; b<b>!</b></p>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value or key != "class_"
    )
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{joined(*children)}</{name}>")


def joined(*parts: str) -> Markup:
    """Text and markup, one after the other."""
    return Markup("".join(one if isinstance(one, Markup) else escape(one) for one in parts))
