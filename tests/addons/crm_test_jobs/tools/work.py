"""Work that costs a known amount of processor time."""

import hashlib
import os
import resource
import time
from concurrent.futures import ThreadPoolExecutor

BLOCK = bytes(2**20)


def _spent():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def burn(job, seconds, threads=2):
    """Use processor time in several threads, as numeric libraries do.

    :param job: the job
    :param float seconds: processor seconds of all threads together
    :param int threads: number of threads
    :return: facts about the process
    """

    def work():
        while _spent() < seconds:
            # Hashing a large block lets the other threads run meanwhile.
            hashlib.sha256(BLOCK).digest()
            job.progress(min(_spent() / seconds, 0.99), "burning")

    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(work) for _ in range(threads)]:
            future.result()
    return {"pid": os.getpid(), "spent": _spent()}


def sleep(job, seconds):
    """Wait without using processor time."""
    job.progress(0.01, "sleeping")
    time.sleep(seconds)
    return {"pid": os.getpid(), "spent": _spent()}
