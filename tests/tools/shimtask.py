#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One call to the task service of a containerd shim, over ttrpc: what `ctr` has no word for.

shimtask.py unix:///PATH NAMESPACE update ID RESOURCES-JSON
A ttrpc frame is length, stream (both 32 bits, big-endian), type (1 request, 2 response) and flags, then a protobuf message.
"""
import socket
import struct
import sys

RESOURCES = "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, data):
    """A length-delimited field: string, bytes or message."""
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def fields(data):
    """(number, value) of a message's varints and strings."""
    at = 0

    def take():
        nonlocal at
        n = shift = 0
        while True:
            b = data[at]
            at += 1
            n |= (b & 0x7F) << shift
            shift += 7
            if b < 0x80:
                return n

    while at < len(data):
        key = take()
        if key & 7 == 0:
            yield key >> 3, take()
        else:
            size = take()
            yield key >> 3, data[at:at + size]
            at += size


def exactly(s, n):
    out = b""
    while len(out) < n:
        got = s.recv(n - len(out))
        if not got:
            raise SystemExit("the shim closed the connection")
        out += got
    return out


def call(address, namespace, method, payload):
    meta = field(5, field(1, "containerd-namespace-ttrpc") + field(2, namespace))
    request = field(1, "containerd.task.v2.Task") + field(2, method) + field(3, payload) + meta
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(address.removeprefix("unix://"))
    s.sendall(struct.pack(">IIBB", len(request), 1, 1, 0) + request)
    size, _, _, _ = struct.unpack(">IIBB", exactly(s, 10))
    for number, value in fields(exactly(s, size)):
        if number == 1:
            status = dict(fields(value))
            if status.get(1):
                raise SystemExit(status.get(2, b"").decode())


if __name__ == "__main__":
    where, space, what, ident, resources = sys.argv[1:]
    if what != "update":
        raise SystemExit(f"no call '{what}'")
    call(where, space, "Update", field(1, ident) + field(2, field(1, RESOURCES) + field(2, resources)))
