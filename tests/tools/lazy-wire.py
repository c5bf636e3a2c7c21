#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A wire to a registry that can be made slow, held or cut: lazy-wire.py LISTEN TARGET WORD-FILE.

The file is read again for each piece that the registry sends. "free"; "slow BYTES": so many a second, all connections
together; "hold BYTES": so many, counted from when the file came to say so, then nothing until it says something else;
"cut": every connection ends, and new ones do.
"""
import asyncio
import os
import sys
import time

SEEN = {"key": None, "passed": 0, "due": 0.0}
LATE = 0.05  # so much lost time is made up for
BUSY = asyncio.Lock()


def words():
    with open(sys.argv[3], encoding="ascii") as f:
        key = os.fstat(f.fileno()).st_ino, f.read()
    if key != SEEN["key"]:
        SEEN.update(key=key, passed=0)
    return [*key[1].split(), "0"]


async def may_pass(n):
    """False when the wire is cut."""
    while True:
        what, amount = words()[:2]
        if what == "slow":
            SEEN["due"] = max(SEEN["due"], time.monotonic() - LATE) + n / int(amount)
            await asyncio.sleep(max(SEEN["due"] - time.monotonic(), 0))
        elif what == "hold" and SEEN["passed"] >= int(amount):
            await asyncio.sleep(0.02)
            continue
        SEEN["passed"] += n
        return what != "cut"


async def copy(reader, writer, counted):
    try:
        while data := await reader.read(16384):
            async with BUSY if counted else asyncio.Lock():
                if not await may_pass(len(data) if counted else 0):
                    break
            writer.write(data)
            await writer.drain()
    except (ConnectionError, OSError):
        pass
    writer.close()


async def serve(reader, writer):
    host, port = sys.argv[2].split(":")
    try:
        if words()[0] == "cut":
            raise OSError("cut")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
    except OSError:
        writer.close()
        return
    await asyncio.gather(copy(reader, far_writer, False), copy(far_reader, writer, True))


async def main():
    host, port = sys.argv[1].split(":")
    server = await asyncio.start_server(serve, host, int(port))
    async with server:
        await server.serve_forever()


asyncio.run(main())
