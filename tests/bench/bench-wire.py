#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The wire beside nginx, h2o and HAProxy: what a server does in one second of its CPU.

bench-wire.py [--quick] [--rounds N] [--only TEXT] [--json FILE]: server on core 0, `teu bench` on core 1, in a network
namespace of its own. Each row is measured in turn on every server that has it, the rounds are interleaved, the median
counts. CPU time is the server's own, from /proc/PID/stat, over all of its processes.

A row: what, the peers that take part, the words behind `teu bench`, and the goal. URL stands for the server's address
of the row's kind ("plain", "unix", "tls"); a server without that kind, or a program that is not installed, is left out.
Add rows to ROWS and servers to SERVERS.
"""
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEU = os.path.join(TOP, "build", "gcc", "src", "teu")
TICK = os.sysconf("SC_CLK_TCK")
CLOSED = ["-c", "32"]


def on_core(core):
    return ["taskset", "-c", str(core)] if (os.cpu_count() or 1) > 1 and shutil.which("taskset") else []


class Server:
    """kinds: address by kind of row. start() returns once every address answers."""
    name, program = "", ""
    ours = False

    def __init__(self, scratch, port):
        self.dir = os.path.join(scratch, self.name)
        os.makedirs(self.dir, exist_ok=True)
        self.port, self.proc, self.kinds = port, None, {}
        self.certs = scratch

    def there(self):
        return self.find() is not None

    def find(self):
        return shutil.which(self.program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")

    def command(self):
        raise NotImplementedError

    def start(self):
        log = open(os.path.join(self.dir, "log"), "wb")
        self.proc = subprocess.Popen(on_core(0) + self.command(), stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)
        deadline = time.time() + 20
        while time.time() < deadline:
            if self.proc.poll() is not None:
                break
            if all(self.answers(k) for k in self.kinds):
                return
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} does not start: " + open(os.path.join(self.dir, "log"), errors="replace").read()[-500:])

    def answers(self, kind):
        url, extra = self.kinds[kind]
        if kind not in ("plain", "unix"):
            return True
        r = subprocess.run([TEU, "bench", "http", "-q", "-n", "1", "--timeout", "2s", *extra, url + "/1k"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           stdin=subprocess.DEVNULL)
        return r.returncode == 0

    def pids(self):
        """All processes of the server: its session is its own."""
        found = []
        for p in filter(str.isdigit, os.listdir("/proc")):
            try:
                fields = open(f"/proc/{p}/stat").read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[3]) == self.proc.pid:
                found.append((int(p), int(fields[11]) + int(fields[12])))
        return found

    def cpu(self):
        return sum(t for _, t in self.pids()) / TICK

    def stop(self):
        if not self.proc:
            return
        for pid, _ in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.proc.wait(10)


class Teu(Server):
    name, ours = "teu", True

    def find(self):
        p = os.path.join(TOP, "build", "gcc", "tests", "bench", "wire-server")
        return p if os.path.exists(p) else None

    def command(self):
        self.kinds = {"plain": (f"http://127.0.0.1:{self.port}", []), "unix": ("http://localhost", ["--unix", f"{self.dir}/s"]),
                      "tls": (f"https://127.0.0.1:{self.port + 100}", ["-k"]), "h2c": (f"http://127.0.0.1:{self.port}", [])}
        return [self.find(), f"127.0.0.1:{self.port}", f"unix://{self.dir}/s", f"tls:{self.certs}/cert.pem:{self.certs}/key.pem:127.0.0.1:{self.port + 100}"]


def make_files(where):
    """The bodies that all servers give: as tests/bench/wire-server.c makes them."""
    item = b'{"name":"item","value":12345,"labels":{"a":"b"}},'
    os.makedirs(where, exist_ok=True)
    for name, size in (("1k", 1024), ("219k", 219 << 10)):
        with open(os.path.join(where, name), "wb") as f:
            f.write((item * (size // len(item) + 1))[:size])
    os.chmod(where, 0o755)


def make_certificate(where):
    """One of ECDSA P-256 for all servers."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", f"{where}/key.pem", "-out", f"{where}/cert.pem"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    with open(f"{where}/both.pem", "w") as f:
        f.write(open(f"{where}/cert.pem").read() + open(f"{where}/key.pem").read())


class Nginx(Server):
    name, program = "nginx", "nginx"

    def command(self):
        make_files(f"{self.dir}/www")
        with open(f"{self.dir}/conf", "w") as f:
            f.write(f"""daemon off; worker_processes 1; pid {self.dir}/pid; error_log {self.dir}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000; open_file_cache max=100; sendfile on; tcp_nopush on; default_type application/json;
client_body_temp_path {self.dir}; proxy_temp_path {self.dir}; fastcgi_temp_path {self.dir}; uwsgi_temp_path {self.dir}; scgi_temp_path {self.dir};
ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets on; ssl_certificate {self.certs}/cert.pem; ssl_certificate_key {self.certs}/key.pem;
server {{ listen 127.0.0.1:{self.port}; listen unix:{self.dir}/s; listen 127.0.0.1:{self.port + 100} ssl http2; root {self.dir}/www; }}
server {{ listen 127.0.0.1:{self.port + 200} http2; root {self.dir}/www; }} }}
""")
        self.kinds = {"plain": (f"http://127.0.0.1:{self.port}", []), "unix": ("http://localhost", ["--unix", f"{self.dir}/s"]),
                      "tls": (f"https://127.0.0.1:{self.port + 100}", ["-k"]), "h2c": (f"http://127.0.0.1:{self.port + 200}", [])}
        return [self.find(), "-p", self.dir, "-c", f"{self.dir}/conf"]


class H2o(Server):
    name, program = "h2o", "h2o"

    def command(self):
        make_files(f"{self.dir}/www")
        with open(f"{self.dir}/conf", "w") as f:
            f.write(f"""num-threads: 1
user: root
error-log: {self.dir}/error.log
pid-file: {self.dir}/pid
http1-request-timeout: 60
file.mime.setdefaulttype: application/json
hosts:
  default:
    listen:
      host: 127.0.0.1
      port: {self.port}
    paths:
      /:
        file.dir: {self.dir}/www
  tls:
    listen:
      host: 127.0.0.1
      port: {self.port + 100}
      ssl:
        certificate-file: {self.certs}/cert.pem
        key-file: {self.certs}/key.pem
    paths:
      /:
        file.dir: {self.dir}/www
""")
        self.kinds = {"plain": (f"http://127.0.0.1:{self.port}", []), "h2c": (f"http://127.0.0.1:{self.port}", []),
                      "tls": (f"https://127.0.0.1:{self.port + 100}", ["-k"])}
        return [self.find(), "-m", "worker", "-c", f"{self.dir}/conf"]


class Haproxy(Server):
    name, program = "haproxy", "haproxy"

    def command(self):
        make_files(f"{self.dir}/www")
        with open(f"{self.dir}/conf", "w") as f:
            f.write(f"""global
    nbthread 1
    maxconn 4000
    tune.bufsize 262144
defaults
    mode http
    timeout client 60s
    timeout server 60s
    timeout connect 5s
frontend f
    bind 127.0.0.1:{self.port}
    bind 127.0.0.1:{self.port + 100} ssl crt {self.certs}/both.pem alpn h2,http/1.1
    http-request return status 200 content-type application/json file {self.dir}/www/1k if {{ path /1k }}
    http-request return status 200 content-type application/json file {self.dir}/www/219k if {{ path /219k }}
    http-request deny deny_status 404
""")
        self.kinds = {"plain": (f"http://127.0.0.1:{self.port}", []), "tls": (f"https://127.0.0.1:{self.port + 100}", ["-k"])}
        return [self.find(), "-db", "-f", f"{self.dir}/conf"]


SERVERS = [Teu, Nginx, H2o, Haproxy]

# what, kind of address, words behind `teu bench` (URL is put at the end), path, goal
ROWS = [
    ("HTTP/1.1 plain, 1 KB", "plain", ["http", *CLOSED], "/1k", "1.4 x nginx"),
    ("HTTP/1.1 Unix socket, 1 KB", "unix", ["http", *CLOSED], "/1k", ""),
    ("HTTP/1.1 plain, 219 KB", "plain", ["http", "-c", "8"], "/219k", ""),
    ("HTTP/1.1 plain, connection each", "plain", ["http", "-c", "8", "--no-keepalive"], "/1k", ""),
    ("HTTP/2 plain, 1 KB, 8 x 8", "h2c", ["http", "-c", "8", "-s", "8", "--http", "2"], "/1k", "h2o's"),
    ("HTTP/1.1 TLS 1.3, 1 KB", "tls", ["http", *CLOSED, "--http", "1.1"], "/1k", "1.4 x nginx"),
    ("HTTP/2 TLS 1.3, 1 KB, 8 x 8", "tls", ["http", "-c", "8", "-s", "8", "--http", "2"], "/1k", "h2o's"),
    ("HTTP/1.1 TLS 1.3, 219 KB", "tls", ["http", "-c", "8", "--http", "1.1"], "/219k", ">= 4,500"),
    ("TLS 1.3 full handshake, 1 KB", "tls", ["http", "-c", "8", "--http", "1.1", "--no-keepalive", "--no-resumption"], "/1k", "nginx's"),
    ("TLS 1.3 resumed, 1 KB", "tls", ["http", "-c", "8", "--http", "1.1", "--no-keepalive"], "/1k", "nginx's"),
    ("gRPC unary Unix socket, 8 x 32", "grpc-unix", ["grpc", "-c", "8", "-s", "32"], "/grpc.health.v1.Health/Check", ">= 100,000"),
    ("gRPC unary plain, 8 x 32", "grpc", ["grpc", "-c", "8", "-s", "32"], "/grpc.health.v1.Health/Check", ""),
    ("WebSocket echo 1 KB, 8 x 1", "ws", ["ws", "-c", "8"], "/ws", ""),
    ("WebSocket echo 1 KB, 8 x 32", "ws", ["ws", "-c", "8", "-s", "32"], "/ws", ">= 200,000"),
    ("WebSocket echo 1 KB over TLS, 8 x 32", "wss", ["ws", "-c", "8", "-s", "32"], "/ws", ""),
]


def address(server, kind):
    """(URL, extra words) of a server for a kind of row, or None."""
    if kind in ("ws", "wss"):
        if not server.ours:
            return None
        url, extra = server.kinds["plain" if kind == "ws" else "tls"]
        return url.replace("http", "ws", 1), extra
    if kind.startswith("grpc"):
        return server.kinds["unix" if kind == "grpc-unix" else "plain"] if server.ours else None
    return server.kinds.get(kind)


def measure(server, row, seconds):
    """Exchanges per CPU second of the server, or None with a reason."""
    what, kind, words, path, _ = row
    at = address(server, kind)
    if not at:
        return None, None
    argv = on_core(1) + [TEU, "bench", *words, "-q", "--format", "json", "-d", f"{seconds * 1000:.0f}ms", *at[1], at[0] + path]
    before = server.cpu()
    r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=seconds + 60)
    used = server.cpu() - before
    try:
        got = json.loads(r.stdout)
    except ValueError:
        return None, f"{what}, {server.name}: {r.stderr.strip()[-200:]}"
    if sum(got["errors"].values()) or not got["done"] or used <= 0:
        return None, f"{what}, {server.name}: errors {got['errors']}, {got['done']} done, {used:.2f} s of CPU"
    return (got["done"] / used, got["rate"], got["latency"]["p99"]), None


def main():
    args = sys.argv[1:]
    if "--inside" not in args:
        return subprocess.run(["unshare", "-n", "--", sys.executable, os.path.abspath(__file__), "--inside", *args]).returncode
    quick = "--quick" in args

    def value(name, default):
        return args[args.index(name) + 1] if name in args else default
    rounds = int(value("--rounds", "1" if quick else "5"))
    seconds = 0.4 if quick else 2.0
    only = value("--only", "")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    scratch = tempfile.mkdtemp(prefix="teu-wire-")
    os.chmod(scratch, 0o755)
    servers, notes, rows = [], [], []
    try:
        make_certificate(scratch)
        for i, kind in enumerate(SERVERS):
            s = kind(scratch, 8100 + i)
            if not s.there():
                notes.append(f"{s.name} is not installed")
                continue
            try:
                s.start()
                servers.append(s)
            except RuntimeError as e:
                notes.append(str(e))
                s.stop()
        for row in ROWS:
            if only not in row[0]:
                continue
            got = {s.name: [] for s in servers}
            for _ in range(rounds):
                for s in servers:
                    value_, why = measure(s, row, seconds)
                    if why and why not in notes:
                        notes.append(why)
                    if value_:
                        got[s.name].append(value_)
            line = {"what": row[0], "unit": "per CPU s", "goal": row[4], "values": {}, "wall": {}}
            for name, v in got.items():
                if v:
                    line["values"][name] = statistics.median(x[0] for x in v)
                    line["wall"][name] = statistics.median(x[1] for x in v)
            rows.append(line)
            print(f"{line['what']:36} " + "  ".join(f"{n} {x:,.0f}" for n, x in line["values"].items()) + f"   {line['goal']}", flush=True)
    finally:
        for s in servers:
            s.stop()
        shutil.rmtree(scratch, ignore_errors=True)
    for n in notes:
        print("note:", n)
    if "--json" in args:
        with open(value("--json", ""), "w") as f:
            json.dump({"rows": rows, "notes": notes, "servers": [s.name for s in servers]}, f)
    return 0


if __name__ == "__main__":
    sys.exit(main())
