#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A wire to a registry that can be made slow or cut: 3200-lazy.py LISTEN TARGET RATE-FILE.

The file holds bytes per second for all connections together, read again for each piece; "0" cuts every connection and
takes no new ones until it holds another number.
"""
import asyncio
import sys


def rate():
    try:
        with open(sys.argv[3], encoding="ascii") as f:
            return int(f.read() or 0)
    except (OSError, ValueError):
        return 1 << 40


BUSY = asyncio.Lock()


async def copy(reader, writer, slow):
    try:
        while data := await reader.read(16384):
            if not rate():
                break
            if slow:
                async with BUSY:
                    await asyncio.sleep(len(data) / max(rate(), 1000))
            writer.write(data)
            await writer.drain()
    except (ConnectionError, OSError):
        pass
    writer.close()


async def serve(reader, writer):
    if not rate():
        writer.close()
        return
    host, port = sys.argv[2].split(":")
    try:
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
