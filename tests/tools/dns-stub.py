#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A DNS server for tests: dns-stub.py ADDRESS PORT ZONE LOG

ZONE has lines "NAME TYPE VALUE..." (TYPE: A, AAAA, CNAME; "NAME TC" answers datagrams with TC, so that TCP is needed;
"NAME MUTE" never answers; "NAME SERVFAIL"). Names are without the last dot. Each question is a line of LOG: "udp|tcp
NAME TYPE". Prints "ready" and ends when its standard input does.
"""
import select
import socket
import struct
import sys

TYPES = {1: "A", 5: "CNAME", 28: "AAAA"}


def read_zone(path):
    zone = {}
    for line in open(path):
        words = line.split()
        if words:
            zone.setdefault(words[0].lower(), []).append(words[1:])
    return zone


def pack_name(name):
    return b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"


def question(msg):
    """(name, type, the question's bytes)"""
    labels, at = [], 12
    while msg[at]:
        labels.append(msg[at + 1:at + 1 + msg[at]].decode())
        at += 1 + msg[at]
    return ".".join(labels), struct.unpack_from("!H", msg, at + 1)[0], msg[12:at + 5]


def records(zone, name, want):
    """Answer section: CNAMEs followed, then what was asked for; and whether the name is there."""
    out, there = b"", False
    for _ in range(8):
        rows = zone.get(name.lower(), [])
        there = there or bool(rows)
        alias = None
        for row in rows:
            kind = {v: k for k, v in TYPES.items()}.get(row[0])
            if row[0] == "CNAME":
                alias, data = row[1], pack_name(row[1])
            elif kind == want:
                data = socket.inet_pton(socket.AF_INET if kind == 1 else socket.AF_INET6, row[1])
            else:
                continue
            out += pack_name(name) + struct.pack("!HHIH", kind, 1, 5, len(data)) + data
        if not alias:
            break
        name = alias
    return out, there


def answer(zone, msg, tcp, log):
    name, want, asked = question(msg)
    log.write(f"{'tcp' if tcp else 'udp'} {name.lower()} {TYPES.get(want, want)}\n")
    log.flush()
    words = [row[0] for row in zone.get(name.lower(), [])]
    if "MUTE" in words:
        return None
    body, there = records(zone, name, want)
    code = 2 if "SERVFAIL" in words else 0 if there else 3
    flags = 0x8580 | code
    if "TC" in words and not tcp:
        body, flags = b"", flags | 0x0200
    count, at = 0, 0
    while at < len(body):
        while body[at]:
            at += 1 + body[at]
        at += 11 + struct.unpack_from("!H", body, at + 9)[0]
        count += 1
    return msg[:2] + struct.pack("!HHHHH", flags, 1, count, 0, 0) + asked + body


def serve_tcp(zone, conn, log):
    conn.settimeout(10)
    f = conn.makefile("rb")
    try:
        while len(head := f.read(2)) == 2:
            reply = answer(zone, f.read(struct.unpack("!H", head)[0]), True, log)
            if reply:
                conn.sendall(struct.pack("!H", len(reply)) + reply)
    except OSError:
        pass
    conn.close()


def main():
    host, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    log = open(sys.argv[4], "a")
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for s in (udp, tcp):
        s.bind((host, port))
    tcp.listen(16)
    print("ready", flush=True)
    while True:
        for s in select.select([udp, tcp, sys.stdin], [], [])[0]:
            if s is sys.stdin:
                return
            if s is tcp:
                serve_tcp(read_zone(path), tcp.accept()[0], log)
                continue
            msg, who = udp.recvfrom(65535)
            reply = answer(read_zone(path), msg, False, log)
            if reply:
                udp.sendto(reply, who)


if __name__ == "__main__":
    main()
