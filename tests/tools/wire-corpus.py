#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Seeds for the fuzzers of DNS and gRPC: wire-corpus.py [FOLDER], by default tests/fuzz/corpus.

DNS: what dnsmasq answers to real questions (it must be installed; run inside `unshare -n`, with lo up), and the
questions. gRPC: bodies as python3-grpcio sends them are messages with five bytes in front; they are made here. The
result is committed; run this again only to add to it.
"""
import os
import random
import socket
import struct
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TYPES = {"a": 1, "ns": 2, "cname": 5, "soa": 6, "ptr": 12, "mx": 15, "txt": 16, "aaaa": 28, "srv": 33, "naptr": 35, "any": 255, "caa": 257}
RECORDS = ["--host-record=web.example,192.0.2.1,2001:db8::1", "--cname=alias.example,web.example", "--mx-host=example,mail.example,10",
           "--srv-host=_http._tcp.example,web.example,8080,1,2", "--txt-record=text.example,v=spf1 -all,a second string",
           "--caa-record=example,0,issue,ca.example", "--naptr-record=num.example,10,20,u,E2U+sip,!^.*$!sip:a@example!",
           "--ptr-record=1.2.0.192.in-addr.arpa,web.example", "--auth-zone=zone.test,127.0.0.0/8", "--auth-server=ns.test,127.0.0.3",
           "--auth-soa=7,hostmaster.zone.test", "--host-record=a.zone.test,127.0.0.7", "--local=/example/"]
QUESTIONS = [("web.example", "a"), ("web.example", "aaaa"), ("wEb.ExAmPlE", "a"), ("web.example", "any"), ("alias.example", "a"),
             ("alias.example", "cname"), ("example", "mx"), ("_http._tcp.example", "srv"), ("text.example", "txt"), ("example", "caa"),
             ("num.example", "naptr"), ("1.2.0.192.in-addr.arpa", "ptr"), ("zone.test", "soa"), ("a.zone.test", "a"), ("zone.test", "ns"),
             ("nothing.example", "a"), ("nothing.zone.test", "a"), ("outside.invalid", "a"), ("many.example", "a")]


def ask(name, kind, number, edns):
    msg = struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 1 if edns else 0)
    msg += b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0" + struct.pack("!HH", TYPES[kind], 1)
    if edns:
        msg += b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)
    return msg


def dns(folder):
    os.makedirs(folder, exist_ok=True)
    hosts = os.path.join(folder, ".many")
    with open(hosts, "w") as f:
        f.writelines(f"198.51.100.{i} many.example\n" for i in range(1, 120))
    server = subprocess.Popen(["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-hosts", "--no-resolv", "--user=root", "--pid-file=", "--port=5353",
                               f"--addn-hosts={hosts}", *RECORDS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        for i, (name, kind) in enumerate(QUESTIONS):
            msg = ask(name, kind, 0x1000 + i, i % 2 == 0)
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.settimeout(0.5)
            for _ in range(20):
                try:
                    s.sendto(msg, ("127.0.0.3" if name.endswith("zone.test") else "127.0.0.1", 5353))
                    reply = s.recv(65535)
                    break
                except OSError:
                    time.sleep(0.1)
            else:
                raise SystemExit(f"no answer for {name} {kind}")
            for what, data in (("question", msg), ("answer", reply)):
                with open(os.path.join(folder, f"{what}-{name.replace('.', '-').replace('_', '').lower()}-{kind}-{i}"), "wb") as f:
                    f.write(data)
    finally:
        server.kill()
        server.wait()
        os.unlink(hosts)


def message(text=None, n=None):
    body = b""
    if text is not None:
        body += b"\x0a" + varint(len(text)) + text
    if n is not None:
        body += b"\x10" + varint(n & (1 << 64) - 1)
    return body


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def frame(body, flag=0, size=None):
    return struct.pack("!BI", flag, len(body) if size is None else size) + body


def grpc(folder):
    """The first byte is the method (bit 0: streaming) and the size of the pieces (the rest, less one)."""
    os.makedirs(folder, exist_ok=True)
    rnd = random.Random(4)
    long = bytes(rnd.choice(b"abcdefgh ") for _ in range(4000))
    bodies = {
        "empty-message": frame(b""), "text": frame(message(b"hello")), "number": frame(message(n=7)), "negative": frame(message(n=-1)),
        "both": frame(message("caf\u00e9".encode(), 1 << 40)), "long": frame(message(long)), "too-long": frame(message(long + long)),
        "size-only": frame(b"", size=100), "size-4-gib": frame(b"", size=0xffffffff), "half-prefix": b"\0\0\0", "nothing": b"",
        "compressed": frame(message(b"x"), flag=1), "bad-flag": frame(message(b"x"), flag=0x80), "two": frame(message(b"a")) + frame(message(b"b")),
        "many": b"".join(frame(message(b"m", i)) for i in range(60)), "message-then-half": frame(message(b"a")) + b"\0\0\0\0\x05\x0a",
        "bad-utf8": frame(b"\x0a\x02\xff\xfe"), "cut-inside": frame(b"\x0a\x09abc"), "unknown-field": frame(b"\x1a\x03abc" + message(b"k")),
        "group": frame(b"\x1b\x1c"), "repeated-single": frame(message(b"a") + message(b"b")), "number-0": frame(b"\x02\x00"),
    }
    for name, body in bodies.items():
        for method, kind in ((0, "unary"), (1, "stream")):
            piece = rnd.choice((1, 3, 5, 64, 127)) if len(body) < 200 else 127
            with open(os.path.join(folder, f"{kind}-{name}"), "wb") as f:
                f.write(bytes([piece << 1 | method]) + body)
    for name, text in {"timeout": b"30000000u", "timeout-max": b"99999999H", "timeout-none": b"1", "message": b"no%2C 100%25%0A", "message-bad": b"%zz%4",
                       "metadata": b"grpc-status-details-bin", "type": b"application/grpc+proto;charset=x"}.items():
        with open(os.path.join(folder, f"text-{name}"), "wb") as f:
            f.write(text)


if __name__ == "__main__":
    where = sys.argv[1] if len(sys.argv) > 1 else os.path.join(TOP, "tests", "fuzz", "corpus")
    dns(os.path.join(where, "dns"))
    grpc(os.path.join(where, "grpc"))
