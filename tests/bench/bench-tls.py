#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TLS beside nginx and h2o: what a server does in one second of its CPU, and what an idle connection costs.

bench-tls.py [--quick] [--rounds N] [--only TEXT] [--idle N] [--json FILE]: server on core 0, wrk and openssl s_time on
core 1, in a network namespace of its own. Rounds are interleaved, the median counts. CPU time is the server's own, from
/proc/PID/stat. All servers have the same P-256 certificate; the cipher is what each chooses with that client.
"""
import importlib.util
import json
import os
import re
import resource
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
spec = importlib.util.spec_from_file_location("wire", os.path.join(HERE, "bench-wire.py"))
wire = importlib.util.module_from_spec(spec)
spec.loader.exec_module(wire)
PEER = os.path.join(TOP, "build", "gcc", "tests", "tls-peer")


class TlsServer(wire.Server):
    def answers(self, kind):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def cert(self):
        return f"{os.path.dirname(self.dir)}/server"


class Teu(TlsServer):
    name, ours = "teu", True

    def find(self):
        return PEER if os.path.exists(PEER) else None

    def command(self):
        self.kinds = {"tls": ()}
        return [PEER, "serve", "--cert", self.cert() + ".pem", "--key", self.cert() + ".key", f"127.0.0.1:{self.port}"]


class Nginx(TlsServer):
    name, program = "nginx", "nginx"

    def command(self):
        wire.make_files(f"{self.dir}/www")
        self.kinds = {"tls": ()}
        with open(f"{self.dir}/conf", "w") as f:
            f.write(f"""daemon off; worker_processes 1; pid {self.dir}/pid; error_log {self.dir}/error.log; user root;
events {{ worker_connections 16384; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600; open_file_cache max=100; sendfile on; tcp_nopush on;
default_type application/json; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets on;
ssl_certificate {self.cert()}.pem; ssl_certificate_key {self.cert()}.key;
client_body_temp_path {self.dir}; proxy_temp_path {self.dir}; fastcgi_temp_path {self.dir}; uwsgi_temp_path {self.dir}; scgi_temp_path {self.dir};
server {{ listen 127.0.0.1:{self.port} ssl backlog=8192; root {self.dir}/www; }} }}
""")
        return [self.find(), "-p", self.dir, "-c", f"{self.dir}/conf"]


class H2o(TlsServer):
    name, program = "h2o", "h2o"

    def command(self):
        wire.make_files(f"{self.dir}/www")
        self.kinds = {"tls": ()}
        with open(f"{self.dir}/conf", "w") as f:
            f.write(f"""num-threads: 1
max-connections: 16384
user: root
error-log: {self.dir}/error.log
pid-file: {self.dir}/pid
http1-request-timeout: 600
file.mime.setdefaulttype: application/json
hosts:
  default:
    listen:
      host: 127.0.0.1
      port: {self.port}
      ssl:
        certificate-file: {self.cert()}.pem
        key-file: {self.cert()}.key
    paths:
      /:
        file.dir: {self.dir}/www
""")
        return [self.find(), "-m", "worker", "-c", f"{self.dir}/conf"]


def wrk(server, path, conns, seconds):
    r = subprocess.run(wire.on_core(1) + ["wrk", "-t1", f"-c{conns}", f"-d{max(1, round(seconds))}s", server.url + path],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, timeout=seconds + 60)
    n = re.search(r"(\d+) requests in", r.stdout)
    bad = re.search(r"Socket errors.*|Non-2xx.*", r.stdout)
    return (int(n.group(1)) if n and not bad else 0), (bad.group(0) if bad else r.stdout[-200:])


def handshakes(server, how, version, seconds):
    """openssl s_time: a connection, its handshake, the end. -reuse resumes."""
    r = subprocess.run(wire.on_core(1) + ["openssl", "s_time", "-connect", f"127.0.0.1:{server.port}", how, version, "-time", str(max(1, round(seconds)))],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, timeout=seconds + 30)
    n = re.search(r"^(\d+) connections in \d+ real seconds", r.stdout, re.M)
    return (int(n.group(1)) if n else 0), r.stdout[-200:]


def resumed(server, n):
    """s_time does not read TLS 1.3's tickets: our client, a connection and a request each."""
    r = subprocess.run(wire.on_core(1) + [PEER, "get", "--ca", os.path.dirname(server.cert()) + "/ca.pem", "--times", str(n), server.url],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, timeout=60)
    return (n if r.returncode == 0 and (not server.ours or r.stdout.count("resumed=1") == n - 1) else 0), r.stdout[-200:]


# what, how, goal
ROWS = [
    ("TLS 1.3 HTTP/1.1, 1 KB", lambda s, t: wrk(s, "/1k", 32, t), "1.4 x nginx"),
    ("TLS 1.3 HTTP/1.1, 219 KB", lambda s, t: wrk(s, "/219k", 8, t), ">= 4,500"),
    ("TLS 1.3 handshake, full", lambda s, t: handshakes(s, "-new", "-tls1_3", t), "nginx"),
    ("TLS 1.3 resumed and one request", lambda s, t: resumed(s, round(t * 400)), "nginx"),
    ("TLS 1.2 handshake, full", lambda s, t: handshakes(s, "-new", "-tls1_2", t), "nginx"),
    ("TLS 1.2 handshake, resumed", lambda s, t: handshakes(s, "-reuse", "-tls1_2", t), "nginx"),
]


def measure(server, row, seconds):
    before = server.cpu()
    n, why = row[1](server, seconds)
    used = server.cpu() - before
    if not n or used <= 0:
        return None, f"{row[0]}, {server.name}: {why.strip()}"
    return n / used, None


def rss(server):
    total = 0
    for pid, _ in server.pids():
        for line in open(f"/proc/{pid}/smaps_rollup"):
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total


def idle(server, n):
    """KB of the server for each connection that has made one request."""
    ctx = ssl._create_unverified_context()
    ctx.minimum_version = ssl.TLSVersion.TLSv1_3

    def one():
        c = ctx.wrap_socket(socket.create_connection(("127.0.0.1", server.port), 10), server_hostname="localhost")
        c.sendall(b"GET /1k HTTP/1.1\r\nHost: a\r\n\r\n")
        got = b""
        while len(got) < 1024:
            got += c.recv(4096)
        return c
    open_ = [one() for _ in range(100)]
    before = rss(server)
    open_ += [one() for _ in range(n)]
    used = rss(server) - before
    for c in open_:
        c.close()
    return used / n


def show(r):
    v = r["values"]
    ratio = f"  {v['teu'] / v['nginx']:.2f} x nginx" if "teu" in v and "nginx" in v else ""
    print(f"{r['what']:30} " + "  ".join(f"{k} {x:,.1f}" if x < 100 else f"{k} {x:,.0f}" for k, x in v.items()) + ratio + f"   ({r['goal']})", flush=True)


def run(args, scratch, quick):
    def value(name, default):
        return args[args.index(name) + 1] if name in args else default
    rounds, seconds, only = int(value("--rounds", "2" if quick else "5")), 1.0 if quick else 3.0, value("--only", "")
    servers, notes, rows = [], [], []
    try:
        for i, kind in enumerate((Teu, Nginx, H2o)):
            s = kind(scratch, 8200 + i)
            if not s.there():
                notes.append(f"{s.name} is not there")
                continue
            try:
                s.start()
                servers.append(s)
            except RuntimeError as e:
                notes.append(str(e))
                s.stop()
        for row in (r for r in ROWS if only in r[0]):
            got = {s.name: [] for s in servers}
            for _ in range(rounds):
                for s in servers:
                    v, why = measure(s, row, seconds)
                    if v:
                        got[s.name].append(v)
                    elif why not in notes:
                        notes.append(why)
            rows.append({"what": row[0], "unit": "per CPU s", "goal": row[2], "values": {k: statistics.median(v) for k, v in got.items() if v}})
            show(rows[-1])
        n = int(value("--idle", "1000" if quick else "5000"))
        if n and only in "idle connection":
            rows.append({"what": f"idle connection of {n:,}", "unit": "KB", "goal": "<= 14", "values": {s.name: idle(s, n) for s in servers}})
            show(rows[-1])
    finally:
        for s in servers:
            s.stop()
    return rows, notes


def main():
    args = sys.argv[1:]
    if "--inside" not in args:
        return subprocess.run(["unshare", "-n", "--", sys.executable, os.path.abspath(__file__), "--inside", *args]).returncode
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    scratch = tempfile.mkdtemp(prefix="teu-tls-")
    os.chmod(scratch, 0o755)
    try:
        subprocess.run([PEER, "make", scratch], check=True)
        rows, notes = run(args, scratch, "--quick" in args)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    for n in notes:
        print("note:", n)
    if "--json" in args:
        with open(args[args.index("--json") + 1], "w") as f:
            json.dump({"rows": rows, "notes": notes}, f)
    return 0


if __name__ == "__main__":
    sys.exit(main())
