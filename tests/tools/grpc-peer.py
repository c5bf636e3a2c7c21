#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""gRPC with Debian's python3-grpcio: serve SOCKET | call SOCKET, beside tests/tools/grpc-peer.c.

Its messages are made from the descriptors that our server's reflection gives, so these are tested too.
"""
import sys
import time
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SVC = "/peer.Service/"


def fields(data):
    """(number, value) of a message's fields: varints and bytes only."""
    i = 0

    def varint():
        nonlocal i
        v = shift = 0
        while True:
            b = data[i]
            i += 1
            v |= (b & 127) << shift
            shift += 7
            if b < 128:
                return v

    while i < len(data):
        tag = varint()
        v = varint()
        if tag & 7 == 2:
            v, i = data[i:i + v], i + v
        yield tag >> 3, v


def pick(data, number):
    return [v for n, v in fields(data) if n == number]


def field(number, payload):
    return bytes([number << 3 | 2, len(payload)]) + payload


def reflect(channel, version, *requests):
    method = channel.stream_stream(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")
    return list(method(iter(requests)))


def descriptors(channel, version):
    answers = reflect(channel, version, field(7, b""), field(4, b"peer.Service"), field(4, b"no.Such"), field(3, b"x"))
    services = sorted(pick(s, 1)[0].decode() for s in pick(pick(answers[0], 6)[0], 1))
    errors = [pick(a, 7)[0] for a in answers[2:]]
    assert [pick(e, 1)[0] for e in errors] == [5, 5], errors
    files = [descriptor_pb2.FileDescriptorProto.FromString(f) for f in pick(pick(answers[1], 4)[0], 1)]
    return services, files


def message_class(files):
    pool = descriptor_pool.DescriptorPool()
    todo = {f.name: f for f in files}

    def add(name):
        f = todo.pop(name, None)
        if f:
            for d in f.dependency:
                add(d)
            pool.Add(f)

    for name in list(todo):
        add(name)
    svc = pool.FindServiceByName("peer.Service")
    kinds = {m.name: m.input_type.full_name for m in svc.methods}
    assert kinds["Echo"] == "peer.types.Msg", kinds
    return message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName("peer.types.Msg"))


def call(socket):
    channel = grpc.insecure_channel("unix:" + socket)
    services, files = descriptors(channel, "v1")
    print("services", *services)
    assert descriptors(channel, "v1alpha")[0] == services
    msg = message_class(files)
    io = dict(request_serializer=msg.SerializeToString, response_deserializer=msg.FromString)
    m = msg(text="caf\u00e9", n=-7, labels={"b": "2", "a": "1"}, color=1)
    m.when.seconds = 1714564800

    answer, c = channel.unary_unary(SVC + "Echo", **io).with_call(m, metadata=[("x-in-bin", b"\0\xff")], timeout=60)
    assert answer == m, answer
    assert ("x-out-bin", b"\0\xff") in c.trailing_metadata(), c.trailing_metadata()
    print("echo ok")
    for name, kw in (("Fail", {}), ("Hold", {"timeout": 0.3}), ("Missing", {}),
                     ("Echo", {"compression": grpc.Compression.Gzip})):
        try:
            channel.unary_unary(SVC + name, **io)(m, **kw)
            print(name, "OK")
        except grpc.RpcError as e:
            print(name, e.code().name, e.details() if name != "Hold" else "")
    print("Count", *[x.n for x in channel.unary_stream(SVC + "Count", **io)(msg(n=2000))][-2:])
    print("Sum", channel.stream_unary(SVC + "Sum", **io)(iter([msg(n=i) for i in range(1001)])).n)
    print("Chat", sum(x.n for x in channel.stream_stream(SVC + "Chat", **io)(iter([msg(n=i) for i in range(101)]))))
    big = msg(text="x" * 3000000)
    print("big", channel.unary_unary(SVC + "Echo", **io)(big) == big)
    try:
        channel.unary_unary(SVC + "Echo", **io)(msg(text="x" * 5000000))
    except grpc.RpcError as e:
        print("too big", e.code().name)
    health = channel.unary_unary("/grpc.health.v1.Health/Check")
    print("health", health(b"").hex())
    try:
        health(field(1, b"nothing"))
    except grpc.RpcError as e:
        print("health", e.code().name)
    stream = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
    print("watch", next(stream).hex())
    stream.cancel()


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        def n_of(data):
            return (pick(data, 2) or [0])[0]

        def msg(n):
            return bytes([0x10, n])

        def fail(_, ctx):
            ctx.abort(grpc.StatusCode.FAILED_PRECONDITION, "no, \u00e4ctually 100%")

        def hold(_, ctx):
            while ctx.is_active():
                time.sleep(0.01)
            return b""

        return {
            "Echo": grpc.unary_unary_rpc_method_handler(lambda data, _: data),
            "Fail": grpc.unary_unary_rpc_method_handler(fail),
            "Hold": grpc.unary_unary_rpc_method_handler(hold),
            "Count": grpc.unary_stream_rpc_method_handler(lambda data, _: (msg(i + 1) for i in range(n_of(data)))),
            "Sum": grpc.stream_unary_rpc_method_handler(lambda it, _: msg(sum(n_of(d) for d in it))),
            "Chat": grpc.stream_stream_rpc_method_handler(lambda it, _: it),
        }.get(details.method.rsplit("/", 1)[1])


def serve(socket):
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Handler()])
    server.add_insecure_port("unix:" + socket)
    server.start()
    print("ready", flush=True)
    sys.stdin.read()
    server.stop(0).wait()


{"call": call, "serve": serve}[sys.argv[1]](sys.argv[2])
