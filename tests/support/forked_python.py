"""Run Python as its own command line does, in a process that the server of ``preloaded.py`` forks: this only asks and waits.

It imports little (not pathlib), as it is started anew each time. For options that it does not know, Python itself runs.
"""

import json
import os
import signal
import socket
import sys

FLAGS = ("-u", "-B", "-s", "-S", "-E", "-I")  # of the interpreter; none changes what a test looks at
KILL = signal.SIGUSR2  # asks for a kill of the process and its group, and then ends only after it
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def main() -> int:
    """Hand arguments, folder, environment and open files to the server; return the exit status of the process it forks."""
    arguments = sys.argv[1:]
    while arguments and arguments[0] in FLAGS:
        arguments = arguments[1:]
    address = os.environ.get("SPINEMED_PRELOADED")
    if not address or not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-c", "-m")):
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
    signal.pthread_sigmask(signal.SIG_BLOCK, (*FORWARDED, KILL))  # until there is a process to pass them to
    files = [number for number in map(int, os.listdir("/proc/self/fd")) if is_open(number)]  # noqa: PTH208
    server = socket.socket(socket.AF_UNIX)
    server.connect(address)
    mask = os.umask(0)
    asked = json.dumps([arguments, os.getcwd(), dict(os.environ), mask, files]).encode()  # noqa: PTH109
    socket.send_fds(server, [len(asked).to_bytes(4, "big")], files)
    server.sendall(asked)
    process = int.from_bytes(read(server, 4), "big")
    for number in FORWARDED:
        signal.signal(number, lambda number, _: os.kill(process, number))
    signal.signal(KILL, lambda *_: os.killpg(process, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*FORWARDED, KILL))
    for number in files:  # else who waits until the process has closed a pipe waits for this one, too
        os.close(number)
    status = int.from_bytes(read(server, 4), "big", signed=True)
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def is_open(number: int) -> bool:
    """Tell whether the number is an open file's: the one through which they are listed is closed by now."""
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def read(connection: socket.socket, count: int) -> bytes:
    """Read ``count`` bytes; raises ConnectionError if the other side ends before."""
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise ConnectionError("the other side of preloaded.py has ended")
        data += part
    return data


if __name__ == "__main__":
    os._exit(main())
