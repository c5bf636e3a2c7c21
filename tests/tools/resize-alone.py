#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An attached terminal whose engine is killed and which is resized then: the shell in it must go on, and the terminal
must be put back at the end. Usage: resize-alone.py TEU ROOT"""
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

teu, root = sys.argv[1:]
pid, fd = pty.fork()
if pid == 0:
    os.execv(teu, ["teu", "run", "-it", "--name", "alone", "busybox", "sh"])


def resize(rows):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 100, 0, 0))
    time.sleep(0.5)


def wait_for(word, seconds=10):
    seen, end = b"", time.time() + seconds
    while word not in seen and time.time() < end:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                seen += os.read(fd, 4096)
            except OSError:
                break
    if word not in seen:
        sys.exit(f"no {word} in {seen}")


wait_for(b"# ")
resize(30)
engine = subprocess.run(["pgrep", "-f", "--", f"--root {root}.* engine"], capture_output=True, text=True).stdout.split()
os.kill(int(engine[0]), signal.SIGKILL)
time.sleep(0.3)
resize(33)
os.write(fd, b"echo st''ill\n")
wait_for(b"still")
os.kill(pid, signal.SIGTERM)
end = time.time() + 10
done = 0
while not done and time.time() < end:
    done, status = os.waitpid(pid, os.WNOHANG)
    time.sleep(0.05)
if not done:
    os.kill(pid, signal.SIGKILL)
    sys.exit("it does not end")
echo = termios.tcgetattr(fd)[3] & termios.ECHO
print(f"{'signal' if os.WIFSIGNALED(status) else 'status'} {os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)}, terminal {'restored' if echo else 'raw'}")
