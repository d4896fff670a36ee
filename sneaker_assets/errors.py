"""The base class of every error that this package raises, and one-line error messages."""


class SneakerError(Exception):
    """Base class of the package's own errors; its message is one line that says what is wrong and what to do.

    Subclasses also derive from the built-in error that fits (``ValueError``, ``OSError``, ...).
    """


def one_line(error: BaseException | str, max_length: int | None = None) -> str:
    """An error's message on one line, or the name of the error's class where it has no message.

    Args:
        error: Any error, or its message.
        max_length: Number of characters after which the message is cut; None for no limit.
    """
    return (" ".join(str(error).split()) or type(error).__name__)[:max_length]
