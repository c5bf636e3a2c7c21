#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for systemd on a D-Bus socket: systemd-stub.py SOCKET LOG [--bus|--peer].

Speaks the wire protocol strictly (alignment, signatures, no bytes left over), makes the cgroups of scopes in the v1
hierarchies that systemd would (name=systemd, cpu, memory, pids; with pure v2 the one tree) and moves the processes in.
Each method call is a line of JSON in LOG. Units whose name holds "exists" are refused once with UnitExists, "jobfails"
end as a failed job, "denied" with AccessDenied, "garbage" with bytes that are no message, "silent" with a closed
connection. Ends when its stdin does.
"""
import json
import os
import select
import signal
import socket
import struct
import sys
import time

SYSTEMD = "org.freedesktop.systemd1"
ALIGN = {"y": 1, "g": 1, "v": 1, "n": 2, "q": 2, "b": 4, "i": 4, "u": 4, "s": 4, "o": 4, "a": 4, "x": 8, "t": 8, "d": 8, "(": 8, "{": 8}
FIXED = {"y": "B", "n": "h", "q": "H", "b": "I", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d"}


def one_type(sig, at):
    start = at
    while sig[at] == "a":
        at += 1
    if sig[at] in "({":
        depth = 0
        while True:
            depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(sig[at], 0)
            at += 1
            if depth == 0:
                return sig[start:at]
    return sig[start:at + 1]


def types(sig):
    out, at = [], 0
    while at < len(sig):
        out.append(one_type(sig, at))
        at += len(out[-1])
    return out


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def align(self, n):
        to = (self.at + n - 1) // n * n
        if any(self.data[self.at:to]):
            raise ValueError("padding is not zero")
        self.at = to

    def take(self, n):
        if self.at + n > len(self.data):
            raise ValueError("message ends early")
        self.at += n
        return self.data[self.at - n:self.at]

    def string(self, length):
        raw = self.take(length)
        if self.take(1) != b"\0":
            raise ValueError("string without its zero byte")
        return raw.decode()

    def value(self, sig):
        c = sig[0]
        self.align(ALIGN[c])
        if c in FIXED:
            v = struct.unpack("<" + FIXED[c], self.take(struct.calcsize(FIXED[c])))[0]
            if c == "b" and v > 1:
                raise ValueError("boolean is neither 0 nor 1")
            return bool(v) if c == "b" else v
        if c in "so":
            return self.string(self.value("u"))
        if c == "g":
            return self.string(self.value("y"))
        if c == "v":
            inner = self.value("g")
            if len(types(inner)) != 1:
                raise ValueError("variant of several types")
            return {"type": inner, "value": self.value(inner)}
        if c == "(":
            return [self.value(t) for t in types(sig[1:-1])]
        n = self.value("u")
        self.align(ALIGN[sig[1]])
        end, out = self.at + n, []
        while self.at < end:
            out.append(self.value(sig[1:]))
        if self.at != end:
            raise ValueError("array's length is wrong")
        return out


def pack(out, sig, v):
    c = sig[0]
    out += b"\0" * (-len(out) % ALIGN[c])
    if c in FIXED:
        out += struct.pack("<" + FIXED[c], v)
    elif c in "so":
        pack(out, "u", len(v.encode()))
        out += v.encode() + b"\0"
    elif c == "g":
        out += bytes([len(v)]) + v.encode() + b"\0"
    else:
        raise ValueError(sig)


def message(kind, serial, fields, sig="", body=()):
    data = bytearray()
    for t, v in zip(types(sig), body):
        pack(data, t, v)
    head, rows = bytearray(), bytearray()
    for code, (t, v) in sorted(fields.items()):
        rows += b"\0" * (-len(rows) % 8)
        rows.append(code)
        pack(rows, "g", t)
        pack(rows, t, v)
    if sig:
        rows += b"\0" * (-len(rows) % 8) + bytes([8])
        pack(rows, "g", "g")
        pack(rows, "g", sig)
    head += b"l" + bytes([kind, 0, 1]) + struct.pack("<III", len(data), serial, len(rows)) + rows
    head += b"\0" * (-len(head) % 8)
    return bytes(head + data)


class Cgroups:
    def __init__(self):
        base = "/sys/fs/cgroup"
        self.roots = [base] if os.path.exists(base + "/cgroup.controllers") else [
            p for p in (f"{base}/{c}" for c in ("systemd", "cpu", "memory", "pids")) if os.path.isdir(p)]
        self.made = []

    def start(self, path, pids):
        for root in self.roots:
            at = root
            for part in path.strip("/").split("/"):
                at += "/" + part
                if not os.path.isdir(at):
                    os.mkdir(at)
                    self.made.append(at)
            for pid in pids:
                with open(at + "/cgroup.procs", "w") as f:
                    f.write(str(pid))

    def pids(self, path):
        try:
            return [int(p) for p in open(self.roots[0] + path + "/cgroup.procs").read().split()]
        except OSError:
            return []

    def sweep(self):
        for d in reversed(list(self.made)):
            try:
                os.rmdir(d)
            except FileNotFoundError:
                pass
            except OSError:
                continue
            self.made.remove(d)


class Client:
    def __init__(self, sock, server):
        self.sock, self.server, self.serial, self.data = sock, server, 0, b""
        self.file = sock.makefile("rb", 0)

    def line(self):
        out = b""
        while not out.endswith(b"\r\n"):
            c = self.sock.recv(1)
            if not c:
                raise ConnectionError("closed")
            out += c
        return out[:-2].decode()

    def handshake(self):
        if self.sock.recv(1) != b"\0":
            raise ValueError("no zero byte first")
        if self.line() != "AUTH EXTERNAL":
            raise ValueError("AUTH")
        self.sock.sendall(b"DATA\r\n")
        if self.line() != "DATA":
            raise ValueError("DATA")
        # Slowly: the client must put the pieces together.
        for part in (b"OK 0123456789abcdef", b"0123456789abcdef\r", b"\n"):
            self.sock.sendall(part)
            time.sleep(0.001)
        if self.line() != "BEGIN":
            raise ValueError("BEGIN")

    def exactly(self, n):
        out = b""
        while len(out) < n:
            got = self.sock.recv(n - len(out))
            if not got:
                raise ConnectionError("closed")
            out += got
        return out

    def receive(self):
        head = self.exactly(16)
        if head[0:1] != b"l" or head[1] != 1 or head[3] != 1:
            raise ValueError("not a little-endian method call of version 1")
        body, serial, fields = struct.unpack("<III", head[4:])
        r = Reader(head + self.exactly((fields + 7) // 8 * 8))
        r.at = 12
        rows = {code: v["value"] for code, v in r.value("a(yv)")}
        r.align(8)
        sig = rows.get(8, "")
        b = Reader(self.exactly(body))
        args = [b.value(t) for t in types(sig)]
        if b.at != body:
            raise ValueError("bytes after the body")
        return serial, head[2], rows, sig, args

    def send(self, kind, fields, sig="", body=()):
        self.serial += 1
        fields = dict(fields)
        if self.server.bus:
            fields[7] = ("s", SYSTEMD)
        self.sock.sendall(message(kind, self.serial, fields, sig, body))

    def run(self):
        self.handshake()
        hello = not self.server.bus
        while True:
            serial, flags, rows, sig, args = self.receive()
            name = rows.get(3)
            self.server.note(name, rows, sig, args)
            if name == "Hello" and not hello:
                hello = True
                self.send(2, {5: ("u", serial)}, "s", [":1.7"])
                self.send(4, {1: ("o", "/org/freedesktop/DBus"), 2: ("s", "org.freedesktop.DBus"), 3: ("s", "NameAcquired")}, "s", [":1.7"])
                continue
            if not hello:
                raise ValueError("no Hello first")
            if self.server.bus != (6 in rows):
                raise ValueError("destination")
            if flags & 1:
                continue
            self.server.handle(self, serial, name, args)

    def reply(self, serial, sig="", *body):
        self.send(2, {5: ("u", serial)}, sig, body)

    def error(self, serial, name, text):
        self.send(3, {4: ("s", name), 5: ("u", serial)}, "s", [text])

    def job(self, number, unit, result="done"):
        fields = {1: ("o", "/org/freedesktop/systemd1"), 2: ("s", SYSTEMD + ".Manager"), 3: ("s", "JobRemoved")}
        # Somebody else's first.
        self.send(4, fields, "uoss", [9999, "/org/freedesktop/systemd1/job/9999", "other.service", "failed"])
        self.send(4, fields, "uoss", [number, f"/org/freedesktop/systemd1/job/{number}", unit, result])


def expand(name):
    if name == "-.slice":
        return ""
    parts, out = name[:-len(".slice")].split("-"), ""
    for i in range(len(parts)):
        out += "/" + "-".join(parts[:i + 1]) + ".slice"
    return out


class Server:
    def __init__(self, path, log, bus):
        self.bus, self.log, self.units, self.jobs, self.seen = bus, open(log, "a"), {}, 0, set()
        self.cgroups = Cgroups()
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path)
        self.sock.listen(8)

    def note(self, name, rows, sig, args):
        if len(args) > 2 and name in ("StartTransientUnit", "SetUnitProperties"):
            args = args[:2] + [{k: v for k, v in args[2]}]
        self.log.write(json.dumps({"method": name, "path": rows.get(1), "signature": sig, "args": args}) + "\n")
        self.log.flush()

    def handle(self, client, serial, name, args):
        unit = args[0] if args else ""
        job = f"/org/freedesktop/systemd1/job/{self.jobs + 1}"
        if name == "StartTransientUnit":
            self.jobs += 1
            if "denied" in unit:
                return client.error(serial, "org.freedesktop.DBus.Error.AccessDenied", "Permission denied")
            if "garbage" in unit:
                return client.sock.sendall(b"this is no message, and long enough to be taken for one")
            if "silent" in unit:
                raise ConnectionError("asked for")
            if unit in self.units or ("exists" in unit and unit not in self.seen):
                self.seen.add(unit)
                return client.error(serial, SYSTEMD + ".UnitExists", f"Unit {unit} was already loaded or has a fragment file.")
            props = {k: v["value"] for k, v in args[2]}
            path = expand(props["Slice"]) + "/" + unit
            client.reply(serial, "o", job)
            if "jobfails" in unit:
                return client.job(self.jobs, unit, "failed")
            self.cgroups.start(path, props["PIDs"])
            self.units[unit] = path
            return client.job(self.jobs, unit)
        if name == "ResetFailedUnit":
            return client.reply(serial) if unit in self.seen else client.error(serial, SYSTEMD + ".NoSuchUnit", f"Unit {unit} not loaded.")
        self.collect()
        if unit not in self.units:
            return client.error(serial, SYSTEMD + ".NoSuchUnit", f"Unit {unit} not loaded.")
        if name == "SetUnitProperties":
            return client.reply(serial)
        if name == "StopUnit":
            self.jobs += 1
            client.reply(serial, "o", job)
            for pid in self.cgroups.pids(self.units[unit]):
                os.kill(pid, signal.SIGKILL)
            del self.units[unit]
            client.job(self.jobs, unit)
            return self.cgroups.sweep()
        client.error(serial, "org.freedesktop.DBus.Error.UnknownMethod", name)

    def collect(self):
        """A scope without processes is gone, unless its name says that it stays (to be stopped)."""
        for unit, path in list(self.units.items()):
            if "stays" not in unit and not self.cgroups.pids(path):
                del self.units[unit]
                self.cgroups.sweep()

    def run(self):
        while True:
            ready, _, _ = select.select([self.sock, sys.stdin], [], [])
            if sys.stdin in ready and not os.read(0, 4096):
                break
            if self.sock in ready:
                conn, _ = self.sock.accept()
                conn.settimeout(20)
                try:
                    Client(conn, self).run()
                except ConnectionError:
                    pass
                except (ValueError, KeyError, OSError) as e:
                    self.log.write(json.dumps({"wrong": f"{type(e).__name__}: {e}"}) + "\n")
                    self.log.flush()
                conn.close()
        self.cgroups.sweep()


if __name__ == "__main__":
    server = Server(sys.argv[1], sys.argv[2], "--peer" not in sys.argv)
    try:
        server.run()
    finally:
        os.unlink(sys.argv[1])
