#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The cases of h2spec, by its numbers, driven by raw frames of our own.

usage: h2spec.py HOST PORT [--tls] [--only SECTION]

Each case is one connection. An expectation is the frame that must come: an error of the connection (GOAWAY with one of
the codes, or its end), of a stream (RST_STREAM, or what is stricter), an answer, an acknowledgement. Nothing waits for
time: where silence is right a PING behind it is answered. Prints TAP.
"""
import argparse
import socket
import ssl
import struct
import sys

PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONT = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIO = 1, 1, 4, 8, 32
NO_ERROR, PROTOCOL, INTERNAL, FLOW, TIMEOUT, CLOSED, SIZE, REFUSED, CANCEL, COMPRESSION, CONNECT, CALM = range(12)


def frame(kind, flags, sid, payload=b''):
    return struct.pack('>I', len(payload))[1:] + struct.pack('>BBI', kind, flags, sid) + payload


def number(value, bits, first=0):
    top = (1 << bits) - 1
    if value < top:
        return bytes([first | value])
    out = [first | top]
    value -= top
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + [value])


def field(name, value):
    n, v = name.encode(), value.encode()
    return b'\0' + number(len(n), 7) + n + number(len(v), 7) + v


def block(*extra, method='GET', path='/', drop=(), authority='h'):
    fields = [(':method', method), (':scheme', Peer.scheme), (':path', path), (':authority', authority)]
    return b''.join(field(n, v) for n, v in [f for f in fields if f[0] not in drop] + list(extra))


class Peer:
    """A connection that has said its preface, unless told otherwise."""
    scheme = 'http'

    def __init__(self, where, tls, hello=True):
        s = socket.create_connection(where, timeout=10)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(['h2'])
            s = context.wrap_socket(s)
        self.s, self.buf, self.closed, self.seen = s, b'', False, []
        self.settings = {}
        if hello:
            self.send(PREFACE + frame(SETTINGS, 0, 0))
            self.until(lambda f: f[0] == SETTINGS and not f[1] & ACK)
            self.send(frame(SETTINGS, ACK, 0))

    def send(self, data):
        try:
            self.s.sendall(data)
        except OSError:
            pass  # refused before the end: what it said is still to be read
        return self

    def next(self):
        while True:
            if len(self.buf) >= 9:
                n = int.from_bytes(self.buf[:3], 'big')
                if len(self.buf) >= 9 + n:
                    kind, flags, sid = self.buf[3], self.buf[4], int.from_bytes(self.buf[5:9], 'big')
                    payload, self.buf = self.buf[9:9 + n], self.buf[9 + n:]
                    if kind == SETTINGS and not flags & ACK:
                        for i in range(0, n, 6):
                            k, v = struct.unpack('>HI', payload[i:i + 6])
                            self.settings[k] = v
                    return kind, flags, sid, payload
            try:
                got = self.s.recv(65536)
            except (ConnectionError, ssl.SSLError):
                got = b''
            if not got:
                self.closed = True
                return None
            self.buf += got

    def until(self, wanted):
        while True:
            f = self.next()
            if f is None:
                raise Failed('the connection was closed; seen: ' + ' '.join(self.seen))
            self.seen.append('%d/%d' % (f[0], f[2]))
            if wanted(f):
                return f

    # ---- expectations ----

    def connection_error(self, *codes):
        while True:
            f = self.next()
            if f is None:
                return
            if f[0] == GOAWAY:
                code = struct.unpack('>I', f[3][4:8])[0]
                if codes and code not in codes:
                    raise Failed('GOAWAY %d, not %s' % (code, codes))
                return
            self.seen.append('%d/%d' % (f[0], f[2]))
            if f[0] == PING and f[1] & ACK:
                raise Failed('the connection lives on; seen: ' + ' '.join(self.seen))

    def stream_error(self, *codes):
        # Two of them: an acknowledgement overtakes a reset that was queued before it.
        self.send(frame(PING, 0, 0, b'afterall'))
        pings = 0
        while True:
            f = self.next()
            if f is None:
                return
            if f[0] == PING and not pings:
                pings = 1
                self.send(frame(PING, 0, 0, b'afterall'))
                continue
            self.seen.append('%d/%d' % (f[0], f[2]))
            code = None
            if f[0] == GOAWAY:
                code = struct.unpack('>I', f[3][4:8])[0]
            elif f[0] == RST:
                code = struct.unpack('>I', f[3][:4])[0]
            elif f[0] == HEADERS and 400 in codes:
                return  # answered as a bad request
            if code is not None:
                if code not in codes:
                    raise Failed('error %d, not %s' % (code, codes))
                return
            if f[0] == PING:
                raise Failed('no error; seen: ' + ' '.join(self.seen))

    def lives(self):
        """Whatever was sent did no harm."""
        self.send(frame(PING, 0, 0, b'stillup?'))
        self.until(lambda f: f[0] == PING and f[1] & ACK and f[3] == b'stillup?')

    def answer(self, sid=1):
        return self.until(lambda f: f[0] == HEADERS and f[2] == sid)

    def settled(self):
        self.until(lambda f: f[0] == SETTINGS and f[1] & ACK)

    def get(self, sid=1, flags=END_STREAM | END_HEADERS, **kw):
        return self.send(frame(HEADERS, flags, sid, block(**kw)))

    def post(self, sid=1, *extra, path='/echo'):
        return self.send(frame(HEADERS, END_HEADERS, sid, block(*extra, method='POST', path=path)))

    def done(self, sid=1):
        """A whole exchange: the stream is closed."""
        self.get(sid)
        self.until(lambda f: f[2] == sid and f[0] in (HEADERS, DATA) and f[1] & END_STREAM)
        return self


class Failed(Exception):
    pass


CASES = []


def case(number_, text, hello=True):
    def add(fn):
        CASES.append((number_, text, hello, fn))
        return fn
    return add


def simple(number_, text, act, hello=True):
    CASES.append((number_, text, hello, act))


H = frame(HEADERS, END_STREAM | END_HEADERS, 1, b'')

# ---- generic ----

simple('generic/1.1', 'Sends a client connection preface', lambda p: p.lives())
simple('generic/2.1', 'idle: PRIORITY', lambda p: p.send(frame(PRIORITY, 0, 1, b'\0\0\0\0\xff')).lives())
simple('generic/2.2', 'half-closed (remote): PRIORITY', lambda p: (
    p.get(path='/slow'), p.send(frame(PRIORITY, 0, 1, b'\0\0\0\0\xff')), p.answer()))
simple('generic/2.3', 'half-closed (remote): WINDOW_UPDATE', lambda p: (
    p.get(path='/slow'), p.send(frame(WINDOW, 0, 1, b'\0\0\0\1')), p.answer()))
simple('generic/2.4', 'half-closed (remote): RST_STREAM', lambda p: (
    p.get(path='/slow'), p.send(frame(RST, 0, 1, b'\0\0\0\x08')), p.lives()))
simple('generic/2.5', 'closed: PRIORITY', lambda p: (p.done(), p.send(frame(PRIORITY, 0, 1, b'\0\0\0\0\xff')), p.lives()))
simple('generic/3.1.1', 'DATA', lambda p: (
    p.post(), p.send(frame(DATA, END_STREAM, 1, b'test')), p.answer()))
simple('generic/3.1.2', 'several DATA', lambda p: (
    p.post(), p.send(frame(DATA, 0, 1, b'te') + frame(DATA, END_STREAM, 1, b'st')), p.answer()))
simple('generic/3.1.3', 'padded DATA', lambda p: (
    p.post(), p.send(frame(DATA, END_STREAM | PADDED, 1, b'\x03test\0\0\0')), p.answer()))
simple('generic/3.2.1', 'HEADERS', lambda p: (p.get(), p.answer()))
simple('generic/3.2.2', 'padded HEADERS', lambda p: (
    p.send(frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, b'\x04' + block() + b'\0' * 4)), p.answer()))
simple('generic/3.2.3', 'HEADERS with priority', lambda p: (
    p.send(frame(HEADERS, END_STREAM | END_HEADERS | PRIO, 1, b'\0\0\0\0\xff' + block())), p.answer()))
simple('generic/3.3.1', 'PRIORITY of weight 1', lambda p: (
    p.send(frame(PRIORITY, 0, 1, b'\0\0\0\0\0')), p.get(), p.answer()))
simple('generic/3.3.2', 'PRIORITY of weight 256', lambda p: (
    p.send(frame(PRIORITY, 0, 1, b'\0\0\0\0\xff')), p.get(), p.answer()))
simple('generic/3.3.3', 'PRIORITY depending on a stream', lambda p: (
    p.send(frame(PRIORITY, 0, 1, b'\0\0\0\3\xff')), p.get(), p.answer()))
simple('generic/3.3.4', 'PRIORITY, exclusive', lambda p: (
    p.send(frame(PRIORITY, 0, 1, b'\x80\0\0\3\xff')), p.get(), p.answer()))
simple('generic/3.3.5', 'PRIORITY of an idle stream, then a lower one', lambda p: (
    p.send(frame(PRIORITY, 0, 5, b'\0\0\0\0\xff')), p.get(3), p.answer(3)))
simple('generic/3.4.1', 'RST_STREAM', lambda p: (
    p.get(path='/slow'), p.send(frame(RST, 0, 1, b'\0\0\0\x08')), p.lives()))
simple('generic/3.5.1', 'SETTINGS', lambda p: (p.send(frame(SETTINGS, 0, 0, b'\0\3\0\0\0\x64')), p.settled()))
simple('generic/3.7.1', 'PING', lambda p: p.lives())
simple('generic/3.8.1', 'GOAWAY', lambda p: (
    p.send(frame(GOAWAY, 0, 0, b'\0\0\0\0\0\0\0\0')), p.send(frame(PING, 0, 0, b'12345678')), p.connection_error_or_ping()))
simple('generic/3.9.1', 'WINDOW_UPDATE of the connection', lambda p: (
    p.send(frame(WINDOW, 0, 0, b'\0\0\0\1')), p.get(), p.answer()))
simple('generic/3.9.2', 'WINDOW_UPDATE of a stream', lambda p: (
    p.post(), p.send(frame(WINDOW, 0, 1, b'\0\0\0\1') + frame(DATA, END_STREAM, 1)), p.answer()))


@case('generic/3.10.1', 'CONTINUATION')
def _(p):
    p.send(frame(HEADERS, END_STREAM, 1, block()) + frame(CONT, END_HEADERS, 1, field('x-dummy', '1'))).answer()


@case('generic/3.10.2', 'several CONTINUATION')
def _(p):
    p.send(frame(HEADERS, END_STREAM, 1, block()) + frame(CONT, 0, 1, field('x-dummy', '1')) +
           frame(CONT, END_HEADERS, 1, field('x-dummy', '2'))).answer()


for n_, method in enumerate(['GET', 'HEAD', 'POST', 'OPTIONS'], 1):
    simple('generic/4.%d' % n_, method + ' request', lambda p, m=method: (
        p.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block(method=m))), p.answer()))
simple('generic/4.5', 'POST request with a body and trailers', lambda p: (
    p.post(), p.send(frame(DATA, 0, 1, b'test') + frame(HEADERS, END_STREAM | END_HEADERS, 1, field('x-test', 'ok'))),
    p.answer()))

# ---- generic/5: HPACK ----


def with_block(b):
    return lambda p: (p.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block() + b)), p.answer())


def named(first, value=b'\x03abc'):
    return bytes([first]) + b'\x06x-test' + value


simple('generic/5.1', 'Indexed header field representation', with_block(b'\x90'))
simple('generic/5.2', 'Literal, incremental indexing, indexed name', with_block(b'\x7a\x04test'))
simple('generic/5.3', 'Literal, incremental indexing, indexed name, Huffman', with_block(b'\x7a\x83\x49\x50\x9f'))
simple('generic/5.4', 'Literal, incremental indexing, new name', with_block(named(0x40)))
simple('generic/5.5', 'Literal, incremental indexing, new name, Huffman', with_block(b'\x40\x06x-test\x83\x49\x50\x9f'))
simple('generic/5.6', 'Literal without indexing, indexed name', with_block(b'\x0f\x2b\x04test'))
simple('generic/5.7', 'Literal without indexing, indexed name, Huffman', with_block(b'\x0f\x2b\x83\x49\x50\x9f'))
simple('generic/5.8', 'Literal without indexing, new name', with_block(named(0)))
simple('generic/5.9', 'Literal without indexing, new name, Huffman', with_block(b'\x00\x06x-test\x83\x49\x50\x9f'))
simple('generic/5.10', 'Literal never indexed, indexed name', with_block(b'\x1f\x2b\x04test'))
simple('generic/5.11', 'Literal never indexed, indexed name, Huffman', with_block(b'\x1f\x2b\x83\x49\x50\x9f'))
simple('generic/5.12', 'Literal never indexed, new name', with_block(named(0x10)))
simple('generic/5.13', 'Literal never indexed, new name, Huffman', with_block(b'\x10\x06x-test\x83\x49\x50\x9f'))
simple('generic/5.14', 'Dynamic table size update', lambda p: (
    p.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, b'\x3f\x09' + block())), p.answer()))
simple('generic/5.15', 'several Dynamic table size updates', lambda p: (
    p.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, b'\x20\x3f\x09' + block())), p.answer()))

# ---- http2/3.5 ----

simple('http2/3.5.1', 'client connection preface', lambda p: (
    p.send(PREFACE + frame(SETTINGS, 0, 0)), p.until(lambda f: f[0] == SETTINGS)), False)
simple('http2/3.5.2', 'invalid connection preface', lambda p: (
    p.send(b'INVALID CONNECTION PREFACE\r\n\r\n'), p.ends()), False)

# ---- http2/4 ----

simple('http2/4.1.1', 'unknown type of frame', lambda p: (p.send(frame(0xff, 0, 0, b'\0' * 8)), p.lives()))
simple('http2/4.1.2', 'undefined flag', lambda p: (
    p.send(frame(PING, 0x16, 0, b'12345678')), p.until(lambda f: f[0] == PING and f[1] & ACK)))
simple('http2/4.1.3', 'reserved bit of the stream', lambda p: (
    p.send(frame(PING, 0, 0x80000000, b'12345678')), p.until(lambda f: f[0] == PING and f[1] & ACK)))
simple('http2/4.2.1', 'DATA of 2^14 octets', lambda p: (
    p.post(), p.send(frame(DATA, END_STREAM, 1, b'x' * 16384)), p.answer()))
simple('http2/4.2.2', 'DATA larger than SETTINGS_MAX_FRAME_SIZE', lambda p: (
    p.post(), p.send(frame(DATA, END_STREAM, 1, b'x' * 16385)), p.stream_error(SIZE)))
simple('http2/4.2.3', 'HEADERS larger than SETTINGS_MAX_FRAME_SIZE', lambda p: (
    p.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block(('x-a', 'x' * 16384)))), p.connection_error(SIZE)))
simple('http2/4.3.1', 'invalid header block', lambda p: (
    p.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, b'\x14\x92')), p.connection_error(COMPRESSION)))
simple('http2/4.3.2', 'PRIORITY while a header block is sent', lambda p: (
    p.send(frame(HEADERS, END_STREAM, 1, block()) + frame(PRIORITY, 0, 1, b'\0\0\0\0\xff') +
           frame(CONT, END_HEADERS, 1, field('x', 'y'))), p.connection_error(PROTOCOL)))
simple('http2/4.3.3', 'HEADERS of another stream while a header block is sent', lambda p: (
    p.send(frame(HEADERS, END_STREAM, 1, block()) + frame(HEADERS, END_STREAM | END_HEADERS, 3, block())),
    p.connection_error(PROTOCOL)))

# ---- http2/5 ----

simple('http2/5.1.1', 'idle: DATA', lambda p: (
    p.send(frame(DATA, END_STREAM, 1, b'test')), p.connection_error(PROTOCOL, CLOSED)))
simple('http2/5.1.2', 'idle: RST_STREAM', lambda p: (
    p.send(frame(RST, 0, 1, b'\0\0\0\x08')), p.connection_error(PROTOCOL)))
simple('http2/5.1.3', 'idle: WINDOW_UPDATE', lambda p: (
    p.send(frame(WINDOW, 0, 1, b'\0\0\0\x64')), p.connection_error(PROTOCOL)))
simple('http2/5.1.4', 'idle: CONTINUATION', lambda p: (
    p.send(frame(CONT, END_HEADERS, 1, block())), p.connection_error(PROTOCOL)))
simple('http2/5.1.5', 'half-closed (remote): DATA', lambda p: (
    p.get(path='/slow'), p.send(frame(DATA, END_STREAM, 1, b'test')), p.stream_error(CLOSED)))
simple('http2/5.1.6', 'half-closed (remote): HEADERS', lambda p: (
    p.get(path='/slow'), p.get(path='/slow'), p.stream_error(CLOSED)))
simple('http2/5.1.7', 'half-closed (remote): CONTINUATION', lambda p: (
    p.get(path='/slow'), p.send(frame(CONT, END_HEADERS, 1, field('x', 'y'))), p.connection_error(CLOSED, PROTOCOL)))
simple('http2/5.1.8', 'closed by RST_STREAM: DATA', lambda p: (
    p.post(path='/slow'), p.send(frame(RST, 0, 1, b'\0\0\0\x08') + frame(DATA, END_STREAM, 1, b'test')), p.ignored_or(CLOSED)))
simple('http2/5.1.9', 'closed by RST_STREAM: HEADERS', lambda p: (
    p.post(path='/slow'), p.send(frame(RST, 0, 1, b'\0\0\0\x08')), p.get(), p.ignored_or(CLOSED, PROTOCOL)))
simple('http2/5.1.10', 'closed by RST_STREAM: CONTINUATION', lambda p: (
    p.post(path='/slow'), p.send(frame(RST, 0, 1, b'\0\0\0\x08') + frame(CONT, END_HEADERS, 1, field('x', 'y'))),
    p.connection_error(CLOSED, PROTOCOL)))
simple('http2/5.1.11', 'closed: DATA', lambda p: (
    p.done(), p.send(frame(DATA, END_STREAM, 1, b'test')), p.ignored_or(CLOSED)))
simple('http2/5.1.12', 'closed: HEADERS', lambda p: (p.done(), p.get(), p.connection_error(CLOSED, PROTOCOL)))
simple('http2/5.1.13', 'closed: CONTINUATION', lambda p: (
    p.done(), p.send(frame(CONT, END_HEADERS, 1, field('x', 'y'))), p.connection_error(CLOSED, PROTOCOL)))
simple('http2/5.1.1/1', 'stream of an even number', lambda p: (p.get(2), p.connection_error(PROTOCOL)))
simple('http2/5.1.1/2', 'stream of a number below the last', lambda p: (
    p.done(5), p.get(3), p.connection_error(PROTOCOL, CLOSED)))


@case('http2/5.1.2/1', 'more streams than SETTINGS_MAX_CONCURRENT_STREAMS')
def _(p):
    limit = p.settings.get(3, 100)
    p.send(b''.join(frame(HEADERS, END_STREAM | END_HEADERS, 2 * i + 1, block(path='/slow')) for i in range(limit + 1)))
    p.until(lambda f: f[0] == GOAWAY or f[0] == RST and struct.unpack('>I', f[3])[0] in (PROTOCOL, REFUSED))


simple('http2/5.3.1/1', 'HEADERS that depends on itself', lambda p: (
    p.send(frame(HEADERS, END_STREAM | END_HEADERS | PRIO, 1, b'\0\0\0\1\xff' + block())), p.answered_or(PROTOCOL)))
simple('http2/5.3.1/2', 'PRIORITY that depends on itself', lambda p: (
    p.send(frame(PRIORITY, 0, 1, b'\0\0\0\1\xff')), p.ignored_or(PROTOCOL)))
simple('http2/5.4.1/1', 'GOAWAY names the error and the connection ends', lambda p: (
    p.send(frame(PING, 0, 3, b'12345678')), p.connection_error(PROTOCOL), p.ends()))
simple('http2/5.5.1', 'unknown extension frame', lambda p: (p.send(frame(0xff, 0, 0, b'x' * 8)), p.lives()))
simple('http2/5.5.2', 'unknown extension frame inside a header block', lambda p: (
    p.send(frame(HEADERS, END_STREAM, 1, block()) + frame(0xff, 0, 0, b'x' * 8) + frame(CONT, END_HEADERS, 1)),
    p.connection_error(PROTOCOL)))

# ---- http2/6 ----

simple('http2/6.1.1', 'DATA of stream 0', lambda p: (p.send(frame(DATA, END_STREAM, 0, b'test')), p.connection_error(PROTOCOL)))
simple('http2/6.1.2', 'DATA of a stream that is not open', lambda p: (
    p.done(), p.send(frame(DATA, END_STREAM, 1, b'test')), p.ignored_or(CLOSED)))
simple('http2/6.1.3', 'DATA with padding past its length', lambda p: (
    p.post(), p.send(frame(DATA, END_STREAM | PADDED, 1, b'\x06test')), p.connection_error(PROTOCOL)))
simple('http2/6.2.1', 'HEADERS without END_HEADERS, then PRIORITY', lambda p: (
    p.send(frame(HEADERS, END_STREAM, 1, block()) + frame(PRIORITY, 0, 1, b'\0\0\0\0\xff')), p.connection_error(PROTOCOL)))
simple('http2/6.2.2', 'HEADERS to another stream while a block is open', lambda p: (
    p.send(frame(HEADERS, END_STREAM, 1, block()) + frame(HEADERS, END_STREAM | END_HEADERS, 3, block())),
    p.connection_error(PROTOCOL)))
simple('http2/6.2.3', 'HEADERS of stream 0', lambda p: (p.get(0), p.connection_error(PROTOCOL)))
simple('http2/6.2.4', 'HEADERS with padding past its length', lambda p: (
    p.send(frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, bytes([len(block()) + 2]) + block())),
    p.connection_error(PROTOCOL)))
simple('http2/6.3.1', 'PRIORITY of stream 0', lambda p: (
    p.send(frame(PRIORITY, 0, 0, b'\0\0\0\0\xff')), p.connection_error(PROTOCOL)))
simple('http2/6.3.2', 'PRIORITY of a length other than 5', lambda p: (
    p.get(path='/slow'), p.send(frame(PRIORITY, 0, 1, b'\0\0\0\0')), p.stream_error(SIZE)))
simple('http2/6.4.1', 'RST_STREAM of stream 0', lambda p: (
    p.send(frame(RST, 0, 0, b'\0\0\0\x08')), p.connection_error(PROTOCOL)))
simple('http2/6.4.2', 'RST_STREAM of an idle stream', lambda p: (
    p.send(frame(RST, 0, 1, b'\0\0\0\x08')), p.connection_error(PROTOCOL)))
simple('http2/6.4.3', 'RST_STREAM of a length other than 4', lambda p: (
    p.get(path='/slow'), p.send(frame(RST, 0, 1, b'\0\0\0')), p.connection_error(SIZE)))
simple('http2/6.5.1', 'SETTINGS ACK with a payload', lambda p: (p.send(frame(SETTINGS, ACK, 0, b'\0')), p.connection_error(SIZE)))
simple('http2/6.5.2', 'SETTINGS of a stream', lambda p: (
    p.send(frame(SETTINGS, 0, 1, b'\0\3\0\0\0\x64')), p.connection_error(PROTOCOL)))
simple('http2/6.5.3', 'SETTINGS of a length that is no multiple of 6', lambda p: (
    p.send(frame(SETTINGS, 0, 0, b'\0\3\0')), p.connection_error(SIZE)))
simple('http2/6.5.2/1', 'ENABLE_PUSH other than 0 and 1', lambda p: (
    p.send(frame(SETTINGS, 0, 0, b'\0\2\0\0\0\2')), p.connection_error(PROTOCOL)))
simple('http2/6.5.2/2', 'INITIAL_WINDOW_SIZE above 2^31-1', lambda p: (
    p.send(frame(SETTINGS, 0, 0, b'\0\4\x80\0\0\0')), p.connection_error(FLOW)))
simple('http2/6.5.2/3', 'MAX_FRAME_SIZE below 2^14', lambda p: (
    p.send(frame(SETTINGS, 0, 0, b'\0\5\0\0\x3f\xff')), p.connection_error(PROTOCOL)))
simple('http2/6.5.2/4', 'MAX_FRAME_SIZE above 2^24-1', lambda p: (
    p.send(frame(SETTINGS, 0, 0, b'\0\5\x01\0\0\0')), p.connection_error(PROTOCOL)))
simple('http2/6.5.2/5', 'unknown setting', lambda p: (p.send(frame(SETTINGS, 0, 0, b'\0\xff\0\0\0\1')), p.settled()))


@case('http2/6.5.3/1', 'several values of INITIAL_WINDOW_SIZE: the last counts')
def _(p):
    p.send(frame(SETTINGS, 0, 0, b'\0\4\0\0\0\x64' + b'\0\4\0\0\0\1'))
    p.settled()
    p.get()
    f = p.until(lambda f: f[0] == DATA)
    if len(f[3]) != 1:
        raise Failed('DATA of %d bytes past a window of 1' % len(f[3]))


simple('http2/6.5.3/2', 'SETTINGS is acknowledged', lambda p: (p.send(frame(SETTINGS, 0, 0)), p.settled()))
simple('http2/6.7.1', 'PING is answered', lambda p: (
    p.send(frame(PING, 0, 0, b'12345678')), p.until(lambda f: f[0] == PING and f[1] & ACK and f[3] == b'12345678')))


@case('http2/6.7.2', 'PING ACK is not answered')
def _(p):
    p.send(frame(PING, ACK, 0, b'invalid!') + frame(PING, 0, 0, b'12345678'))
    f = p.until(lambda f: f[0] == PING)
    if f[3] != b'12345678':
        raise Failed('an acknowledgement was answered')


simple('http2/6.7.3', 'PING of a stream', lambda p: (p.send(frame(PING, 0, 1, b'12345678')), p.connection_error(PROTOCOL)))
simple('http2/6.7.4', 'PING of a length other than 8', lambda p: (p.send(frame(PING, 0, 0, b'123456')), p.connection_error(SIZE)))
simple('http2/6.8.1', 'GOAWAY of a stream', lambda p: (
    p.send(frame(GOAWAY, 0, 1, b'\0' * 8)), p.connection_error(PROTOCOL)))


@case('http2/6.9.1', 'flow control of a connection: SETTINGS window of 1')
def _(p):
    p.send(frame(SETTINGS, 0, 0, b'\0\4\0\0\0\1'))
    p.settled()
    p.get()
    f = p.until(lambda f: f[0] == DATA)
    if len(f[3]) != 1:
        raise Failed('DATA of %d bytes past a window of 1' % len(f[3]))


simple('http2/6.9.1/1', 'WINDOW_UPDATE of 0 for the connection', lambda p: (
    p.send(frame(WINDOW, 0, 0, b'\0\0\0\0')), p.connection_error(PROTOCOL)))
simple('http2/6.9.1/2', 'WINDOW_UPDATE of 0 for a stream', lambda p: (
    p.get(path='/slow'), p.send(frame(WINDOW, 0, 1, b'\0\0\0\0')), p.stream_error(PROTOCOL)))
simple('http2/6.9.1/3', 'WINDOW_UPDATE of a length other than 4', lambda p: (
    p.send(frame(WINDOW, 0, 0, b'\0\0\1')), p.connection_error(SIZE)))
simple('http2/6.9.1/4', 'window of the connection above 2^31-1', lambda p: (
    p.send(frame(WINDOW, 0, 0, b'\x7f\xff\xff\xff') * 2), p.connection_error(FLOW)))
simple('http2/6.9.1/5', 'window of a stream above 2^31-1', lambda p: (
    p.get(path='/slow'), p.send(frame(WINDOW, 0, 1, b'\x7f\xff\xff\xff') * 2), p.stream_error(FLOW)))


@case('http2/6.9.2/1', 'change of INITIAL_WINDOW_SIZE after HEADERS')
def _(p):
    p.send(frame(SETTINGS, 0, 0, b'\0\4\0\0\0\0'))
    p.settled()
    p.get()
    p.answer()
    p.send(frame(SETTINGS, 0, 0, b'\0\4\0\0\0\1'))
    f = p.until(lambda f: f[0] == DATA)
    if len(f[3]) != 1:
        raise Failed('DATA of %d bytes past a window of 1' % len(f[3]))


@case('http2/6.9.2/2', 'a window that became negative')
def _(p):
    p.send(frame(SETTINGS, 0, 0, b'\0\4\0\0\0\3'))
    p.settled()
    p.get()
    p.until(lambda f: f[0] == DATA and len(f[3]) == 3)
    p.send(frame(SETTINGS, 0, 0, b'\0\4\0\0\0\2') + frame(WINDOW, 0, 1, b'\0\0\0\2'))
    f = p.until(lambda f: f[0] == DATA)
    if len(f[3]) != 1:
        raise Failed('DATA of %d bytes past a window of 1' % len(f[3]))


simple('http2/6.9.2/3', 'INITIAL_WINDOW_SIZE above the largest window', lambda p: (
    p.send(frame(SETTINGS, 0, 0, b'\0\4\xff\xff\xff\xff')), p.connection_error(FLOW)))
simple('http2/6.10.1', 'several CONTINUATION frames', lambda p: (
    p.send(frame(HEADERS, END_STREAM, 1, block()) + frame(CONT, 0, 1, field('a', 'b')) + frame(CONT, END_HEADERS, 1, field('c', 'd'))),
    p.answer()))
simple('http2/6.10.2', 'CONTINUATION followed by DATA', lambda p: (
    p.send(frame(HEADERS, 0, 1, block()) + frame(CONT, 0, 1, field('a', 'b')) + frame(DATA, END_STREAM, 1, b'x')),
    p.connection_error(PROTOCOL)))
simple('http2/6.10.3', 'CONTINUATION of stream 0', lambda p: (
    p.send(frame(HEADERS, END_STREAM, 1, block()) + frame(CONT, END_HEADERS, 0, field('a', 'b'))), p.connection_error(PROTOCOL)))
simple('http2/6.10.4', 'CONTINUATION behind HEADERS with END_HEADERS', lambda p: (
    p.get(path='/slow'), p.send(frame(CONT, END_HEADERS, 1, field('a', 'b'))), p.connection_error(PROTOCOL)))
simple('http2/6.10.5', 'CONTINUATION behind CONTINUATION with END_HEADERS', lambda p: (
    p.send(frame(HEADERS, END_STREAM, 1, block(path='/slow')) + frame(CONT, END_HEADERS, 1, field('a', 'b')) * 2),
    p.connection_error(PROTOCOL)))
simple('http2/6.10.6', 'CONTINUATION behind DATA', lambda p: (
    p.post(path='/slow'), p.send(frame(DATA, 0, 1, b'x') + frame(CONT, END_HEADERS, 1, field('a', 'b'))), p.connection_error(PROTOCOL)))
simple('http2/7.1', 'GOAWAY with an unknown code', lambda p: (
    p.send(frame(GOAWAY, 0, 0, b'\0\0\0\0\0\0\0\xff')), p.send(frame(PING, 0, 0, b'12345678')), p.connection_error_or_ping()))
simple('http2/7.2', 'RST_STREAM with an unknown code', lambda p: (
    p.get(path='/slow'), p.send(frame(RST, 0, 1, b'\0\0\0\xff')), p.lives()))

# ---- http2/8 ----


def bad(*extra, **kw):
    return lambda p: (p.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block(*extra, **kw))), p.stream_error(PROTOCOL, 400))


simple('http2/8.1.1', 'a second HEADERS without END_STREAM', lambda p: (
    p.post(path='/slow'), p.send(frame(HEADERS, END_HEADERS, 1, field('x', 'y'))), p.stream_error(PROTOCOL)))
simple('http2/8.1.2/1', 'upper case in a field name', bad(('X-TEST', 'ok')))
simple('http2/8.1.2.1/1', 'unknown pseudo-header', bad((':test', 'ok')))
simple('http2/8.1.2.1/2', 'pseudo-header of answers in a request', bad((':status', '200')))
simple('http2/8.1.2.1/3', 'pseudo-header in trailers', lambda p: (
    p.post(path='/slow'), p.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, field(':method', 'GET'))), p.stream_error(PROTOCOL)))
simple('http2/8.1.2.1/4', 'pseudo-header behind a field', lambda p: (
    p.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, field('x', 'y') + block())), p.stream_error(PROTOCOL)))
simple('http2/8.1.2.2/1', 'connection-specific field', bad(('connection', 'keep-alive')))
simple('http2/8.1.2.2/2', 'TE other than trailers', bad(('te', 'trailers, deflate')))
simple('http2/8.1.2.3/1', ':path empty', bad(path=''))
simple('http2/8.1.2.3/2', ':method missing', bad(drop=(':method',)))
simple('http2/8.1.2.3/3', ':scheme missing', bad(drop=(':scheme',)))
simple('http2/8.1.2.3/4', ':path missing', bad(drop=(':path',)))
simple('http2/8.1.2.3/5', ':method twice', lambda p: (
    p.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, field(':method', 'GET') + block())), p.stream_error(PROTOCOL)))
simple('http2/8.1.2.3/6', ':scheme twice', lambda p: (
    p.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, field(':scheme', Peer.scheme) + block())), p.stream_error(PROTOCOL)))
simple('http2/8.1.2.3/7', ':path twice', lambda p: (
    p.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, field(':path', '/') + block())), p.stream_error(PROTOCOL)))
simple('http2/8.1.2.6/1', 'content-length that is not the sum of DATA', lambda p: (
    p.post(1, ('content-length', '1'), path='/slow'), p.send(frame(DATA, END_STREAM, 1, b'test')), p.stream_error(PROTOCOL)))
simple('http2/8.1.2.6/2', 'content-length that is not the sum of several DATA', lambda p: (
    p.post(1, ('content-length', '1'), path='/slow'), p.send(frame(DATA, 0, 1, b'te') + frame(DATA, END_STREAM, 1, b'st')),
    p.stream_error(PROTOCOL)))
simple('http2/8.2.1', 'PUSH_PROMISE from a client', lambda p: (
    p.send(frame(PUSH, END_HEADERS, 1, b'\0\0\0\2' + block())), p.connection_error(PROTOCOL)))
# Of our own: what newer texts add.
simple('teu/8.2.1/1', 'field value with CR', bad(('x', 'a\rb')))
simple('teu/8.2.1/2', 'field value with NUL', bad(('x', 'a\0b')))
simple('teu/8.2.1/3', 'field name with a blank', bad(('x y', 'a')))
simple('teu/8.2.1/4', 'empty field name', bad(('', 'a')))
simple('teu/8.2.2/1', 'transfer-encoding', bad(('transfer-encoding', 'chunked')))
simple('teu/8.2.2/2', 'proxy-connection', bad(('proxy-connection', 'keep-alive')))
simple('teu/8.2.2/3', 'upgrade', bad(('upgrade', 'websocket')))
simple('teu/8.2.2/4', 'keep-alive', bad(('keep-alive', '1')))
simple('teu/8.3.1/1', ':authority with a user', bad(authority='u@h'))
simple('teu/8.3.1/2', ':authority and Host differ', bad(('host', 'other')))
simple('teu/8.3.1/3', 'Host twice', bad(('host', 'h'), ('host', 'h')))
simple('teu/8.3.1/4', ':path that is an address', bad(path='http://h/'))
simple('teu/8.3.1/5', ':path with a blank', bad(path='/a b'))
simple('teu/8.3.1/6', ':method that is no token', bad(method='G T'))
simple('teu/8.5/1', 'CONNECT with :path', bad(method='CONNECT', authority='h:1'))
simple('teu/8.5/2', ':protocol without CONNECT', bad((':protocol', 'websocket')))

# ---- hpack ----


def compressed(b):
    return lambda p: (p.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block() + b)), p.connection_error(COMPRESSION))


simple('hpack/2.3.3/1', 'index past both tables', compressed(b'\xff\x20'))
simple('hpack/2.3.3/2', 'literal with a name past both tables', compressed(b'\x7f\x20\x04test'))
simple('hpack/4.2/1', 'table size update at the end of a block', compressed(b'\x20'))
simple('hpack/5.2/1', 'Huffman padding longer than 7 bits', compressed(b'\x00\x01x\x84\x49\x50\x9f\xff'))
simple('hpack/5.2/2', 'Huffman padding of zeros', compressed(b'\x00\x01x\x83\x49\x50\x90'))
simple('hpack/5.2/3', 'Huffman text with EOS', compressed(b'\x00\x01x\x84\xff\xff\xff\xff'))
simple('hpack/6.1/1', 'index 0', compressed(b'\x80'))
simple('hpack/6.3/1', 'table size update above the limit', lambda p: (
    p.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, b'\x3f\xe1\xff\x03' + block())), p.connection_error(COMPRESSION)))


def ends(p):
    while p.next() is not None:
        pass


def ignored_or(p, *codes):
    p.send(frame(PING, 0, 0, b'afterall'))
    while True:
        f = p.next()
        if f is None or (f[0] == PING and f[1] & ACK):
            return
        code = struct.unpack('>I', f[3][4:8] if f[0] == GOAWAY else f[3][:4])[0] if f[0] in (GOAWAY, RST) else None
        if code is not None and code not in codes + (NO_ERROR,):
            raise Failed('error %d, not %s' % (code, codes))


def answered_or(p, *codes):
    f = p.until(lambda f: f[0] in (HEADERS, RST, GOAWAY))
    if f[0] == RST and struct.unpack('>I', f[3])[0] not in codes:
        raise Failed('another error')


def connection_error_or_ping(p):
    """After a GOAWAY of ours the peer may close or go on."""
    while True:
        f = p.next()
        if f is None or f[0] in (GOAWAY, PING):
            return


Peer.ends, Peer.ignored_or, Peer.answered_or = ends, ignored_or, answered_or
Peer.connection_error_or_ping = connection_error_or_ping


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('host')
    ap.add_argument('port', type=int)
    ap.add_argument('--tls', action='store_true')
    ap.add_argument('--only', default='')
    a = ap.parse_args()
    Peer.scheme = 'https' if a.tls else 'http'
    cases = [c for c in CASES if c[0].startswith(a.only)]
    failed = 0
    print('1..%d' % len(cases))
    for i, (num, text, hello, act) in enumerate(cases, 1):
        peer = None
        try:
            peer = Peer((a.host, a.port), a.tls, hello)
            act(peer)
            print('ok %d %s %s' % (i, num, text))
        except (Failed, OSError) as e:
            failed += 1
            print('not ok %d %s %s # %s' % (i, num, text, e))
        finally:
            if peer:
                peer.s.close()
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
