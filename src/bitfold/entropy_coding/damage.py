"""The error for a file that cannot be decoded."""

from bitfold.errors import ModelFileError


def damaged(what: str, offset: int) -> ModelFileError:
    """The error for bytes that no writer of this format makes.

    Args:
        what: the finding, as "expected ..., got ...".
        offset: byte of the file at which it was found.
    """
    return ModelFileError(
        f"Cannot read a model file: {what} at byte {offset:,}. "
        "Get the file again from where it came from.",
        offset,
    )
