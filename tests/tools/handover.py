#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hands a listening socket from one server to the next under load, and kills one: nothing that could be served fails.

usage: handover.py SERVER [ROUNDS [NAME]]

A socket is bound here and given to each server as fd 3. While clients ask on new connections (HTTP/1.1 by hand, and
raw HTTP/2), the running server is replaced ROUNDS times: the next one starts, the old one drains on SIGTERM. Then
one is killed by SIGKILL beside another that runs: what was queued on the socket is served by that one. With NAME
all of it is over TLS, by the certificate NAME.pem and its key NAME.key.
"""
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import h2spec as h2  # noqa: E402


def over_tls():
    ctx = ssl.create_default_context()
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    return ctx


TLS = sys.argv[3] if len(sys.argv) > 3 else None
CONTEXT = over_tls()


def start(program, listener):
    def give():
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
    p = subprocess.Popen([program, '--grace', '60'] + (['--tls', TLS] if TLS else []) + ['fd:3'], preexec_fn=give, pass_fds=(3,), stdout=subprocess.PIPE,
                         stdin=subprocess.DEVNULL)
    if not p.stdout.readline().startswith(b'listening'):
        raise SystemExit('the server does not start')
    return p


def ask_h1(where):
    s = socket.create_connection(where, timeout=60)
    if TLS:
        s = CONTEXT.wrap_socket(s)
    s.sendall(b'GET /slow HTTP/1.1\r\nHost: h\r\n\r\n')
    got = b''
    while b'late\n' not in got:
        b = s.recv(4096)
        if not b:
            raise OSError('closed after %r' % got)
        got += b
    s.close()


def ask_h2(where):
    h2.Peer.scheme = 'https' if TLS else 'http'
    p = h2.Peer(where, bool(TLS))
    p.get(1, path='/slow')
    p.until(lambda f: f[0] == h2.DATA and f[2] == 1 and f[3] == b'late\n')
    p.s.close()


def main():
    program, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(1024)
    where = listener.getsockname()
    stop, failures, served = threading.Event(), [], [0]

    def client(ask):
        while not stop.is_set():
            try:
                ask(where)
                served[0] += 1
            except (OSError, h2.Failed) as e:
                failures.append('%s: %s' % (ask.__name__, e))

    server = start(program, listener)
    clients = [threading.Thread(target=client, args=(a,)) for a in (ask_h1, ask_h2) * 4]
    for c in clients:
        c.start()
    for _ in range(rounds):
        enough = served[0] + 16
        while served[0] < enough and not failures:
            stop.wait(0.01)
        following = start(program, listener)
        server.send_signal(signal.SIGTERM)
        if server.wait(120) != 0:
            failures.append('a server that drained ended with %d' % server.returncode)
        server = following
    stop.set()
    for c in clients:
        c.join()
    if not failures:
        # Killed: its connections die, but the socket and its queue live.
        survivor = start(program, listener)
        server.kill()
        server.wait()
        for _ in range(20):
            ask_h1(where)
            ask_h2(where)
        server = survivor
    server.kill()
    server.wait()
    print('%d served, %d failed' % (served[0], len(failures)))
    for f in failures[:10]:
        print(f)
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
