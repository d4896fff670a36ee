"""What is said of any error: its message in one line. The errors themselves live where they are raised."""


def one_line(error: BaseException, most: int | None = None) -> str:
    """An error's message without line breaks, or its name where it has none.

    Args:
        error: any error.
        most: characters after which the message is cut.
    """
    return (" ".join(str(error).split()) or type(error).__name__)[:most]
