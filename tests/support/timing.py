"""Time of one call that other threads, and objects that earlier tests left, do not add to."""

import gc
import time


def seconds(call, *arguments, runs=3, **options):
    """Return the least processor time of this thread over a few runs of a call, in seconds.

    The garbage collector is off: it walks over whatever else a long test run holds, each time that the call has made
    enough objects.
    """
    best = float("inf")
    gc.disable()
    try:
        for _ in range(runs):
            start = time.thread_time()
            call(*arguments, **options)
            best = min(best, time.thread_time() - start)
    finally:
        gc.enable()
    return best
