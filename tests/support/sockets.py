"""What this process asks of the network: every address that a socket connects or sends to, and every name that is looked up.

A process forked from this one goes on with a list of its own.
"""

import sys

opened: list[tuple[str, object]] = []
_EVENTS = {"socket.connect": 1, "socket.sendto": 1, "socket.getaddrinfo": 0}

sys.addaudithook(lambda event, values: opened.append((event, values[_EVENTS[event]])) if event in _EVENTS else None)
