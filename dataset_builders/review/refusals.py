"""Name why a request of a reviewer is refused."""


class Refused(Exception):
    """A request that is refused; ``name`` is one word for programs, the message says what to do, ``status`` is HTTP's."""

    def __init__(self, name: str, message: str, status: int):
        super().__init__(message)
        self.name = name
        self.status = status
