#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a shim costs: PSS of idle ones (20 of `sleep`, also after output and an exec), and CPU for 200,000 lines of json-file log.

Bounds of issue 2: 100 KB PSS, 100 ms. Usage: bench-shim.py [TEU-OCI]; root, in a network namespace of its own (unshare -n).
"""
import os
import socket
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "tools"))
import shimproto as sp  # noqa: E402

SHIMS = 20


def pss(shims):
    values = []
    for s in shims:
        with open(f"/proc/{s.pid}/smaps_rollup") as f:
            values += [int(line.split()[1]) for line in f if line.startswith("Pss:")]
    return f"{sorted(values)[len(values) // 2]} KB"


def memory(b, program):
    shims = []
    for i in range(SHIMS):
        cid = f"teubench{os.getpid()}x{i}"
        b.write(sp.config(["/bin/sleep", "1000"], cgroup="/" + cid))
        s = sp.Shim(program, b.run_dir(cid), cid)
        s.welcome()
        b.create(s, sp.STDIN)
        s.call(sp.START)
        shims.append(s)
    print("shim PSS right after the start:", pss(shims))
    time.sleep(3)
    print("shim PSS idle:                 ", pss(shims))
    for s in shims:
        mine, theirs = socket.socketpair()
        s.call(sp.EXEC, sp.exec_payload("e1", ["/bin/sh", "-c", "yes | head -20000"], 0, sp.OUT), [theirs.fileno()])
        theirs.close()
        while mine.recv(65536):
            pass
        s.wait_exit("e1")
    time.sleep(4)
    print("shim PSS idle after an exec:   ", pss(shims))
    for s in shims:
        s.call(sp.DELETE)
        s.wait_gone()
        s.reap()


def log_speed(b, program):
    cid = f"teubench{os.getpid()}log"
    b.write(sp.config(["/bin/sh", "-c", "yes | head -200000; sleep 1000"], cgroup="/" + cid))
    s = sp.Shim(program, b.run_dir(cid), cid)
    s.welcome()
    b.create(s)

    def cpu():
        with open(f"/proc/{s.pid}/schedstat") as f:
            return int(f.read().split()[0]) / 1e6

    before = cpu()
    s.call(sp.START)
    log = os.path.join(b.dir_of(cid), cid + "-json.log")
    size = -1
    while size != os.path.getsize(log) or not size:
        size = os.path.getsize(log)
        time.sleep(0.2)
    with open(log) as f:
        lines = sum(1 for _ in f)
    print(f"shim CPU for {lines} lines ({size >> 20} MB of json-file): {cpu() - before:.1f} ms")
    s.call(sp.DELETE)
    s.wait_gone()
    s.reap()


def main():
    b = sp.Bundle(TOP)
    try:
        program = sys.argv[1] if len(sys.argv) > 1 else os.path.join(TOP, "build/teu-oci")
        memory(b, program)
        log_speed(b, program)
    finally:
        b.remove()


if __name__ == "__main__":
    main()
