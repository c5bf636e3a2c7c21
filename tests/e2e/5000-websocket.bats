#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# WebSocket with python3-websockets, and what real kubectl makes of our WebSocket and SPDY (tests/tools/kube-stub).

bats_require_minimum_version 1.5.0
load wire.bash
setup_file() { wire_setup_file tests/tools/kube-stub 127.0.0.1:0; }
teardown_file() { wire_teardown_file; }
setup() { wire_setup; }

needs_kubectl() {
	KUBECTL=$(command -v kubectl) || KUBECTL=${TEU_CACHE:-${XDG_CACHE_HOME:-/root/.cache}/teu}/kube/kubectl
	[ -x "$KUBECTL" ] || skip "kubectl is not installed"
}
k() { inside "$KUBECTL" --server "http://$URL" --kubeconfig /dev/null --cache-dir "$DIR/kube" "$@"; }
websockets() { export KUBECTL_REMOTE_COMMAND_WEBSOCKETS=$1 KUBECTL_PORT_FORWARD_WEBSOCKETS=$1; }

# The last upgrade that the server saw.
upgraded() { [ "$(tail -1 "$DIR/out")" = "$1" ] || { cat "$DIR/out"; return 1; }; }

exec_case() { # $1: true or false, $2: what the server must have seen
	websockets "$1"
	run --separate-stderr k exec p -- both
	[ "$status" -eq 0 ]
	[ "$output" = "to out" ]
	[ "$stderr" = "to err" ]
	upgraded "exec $2"
	[ "$(echo hello | k exec -i p -- cat)" = hello ]
	run k exec p -- exit 7
	[ "$status" -eq 7 ]
	prints "command terminated with exit code 7"
	[ "$(k exec p -- out 3000000 | wc -c)" -eq 3000000 ]
	head -c 2000000 /dev/urandom >"$DIR/in"
	k exec -i p -- cat <"$DIR/in" >"$DIR/back"
	cmp "$DIR/in" "$DIR/back"
	echo att | k attach -i p 2>/dev/null | grep -q att
	upgraded "attach $2"
}

@test "kubectl exec and attach over WebSocket" {
	needs_kubectl
	exec_case true v5.channel.k8s.io
}

@test "kubectl exec and attach over SPDY" {
	needs_kubectl
	exec_case false spdy
}

@test "kubectl exec -t tells the size of its terminal" {
	needs_kubectl
	command -v script >/dev/null || skip "no script(1)"
	for ws in true false; do
		websockets $ws
		inside script -qec "stty rows 33 cols 77; exec $KUBECTL --server http://$URL --kubeconfig /dev/null --cache-dir $DIR/kube exec -it p -- size" /dev/null \
			</dev/null >"$DIR/tty" 2>&1
		grep -q 77x33 "$DIR/tty"
	done
}

forward_case() {
	websockets "$1"
	k port-forward p :80 :9 >"$DIR/forward" 2>&1 3>&- &
	local pid=$!
	until_ok eval '[ "$(grep -c 127.0.0.1: "$DIR/forward")" -ge 2 ]'
	local port
	port=$(sed -n 's/.*127.0.0.1:\([0-9]*\) -> 80/\1/p' "$DIR/forward")
	upgraded "portforward $2"
	head -c 1000000 /dev/urandom >"$DIR/in"
	inside socat -t 20 - "TCP:127.0.0.1:$port" <"$DIR/in" >"$DIR/back"
	cmp "$DIR/in" "$DIR/back"
	for i in 1 2 3; do
		[ "$(echo "ping $i" | inside socat -t 20 - "TCP:127.0.0.1:$port")" = "ping $i" ]
	done
	port=$(sed -n 's/.*127.0.0.1:\([0-9]*\) -> 9/\1/p' "$DIR/forward")
	echo x | inside socat -t 5 - "TCP:127.0.0.1:$port" || true
	until_ok grep -q "nobody listens on port 9" "$DIR/forward" || { cat "$DIR/forward"; return 1; }
	pkill -INT -P "$pid" || true
	wait "$pid" || true
}

@test "kubectl port-forward over SPDY in a WebSocket" {
	needs_kubectl
	forward_case true websocket
}

@test "kubectl port-forward over SPDY" {
	needs_kubectl
	forward_case false spdy
}

@test "python3-websockets: channels both ways, pings, close codes" {
	/usr/bin/python3 -c 'import websockets' 2>/dev/null || skip "python3-websockets is not installed"
	cat >"$DIR/client.py" <<-'END'
		import asyncio, os, sys, websockets
		async def main(url):
		    async with websockets.connect(url, subprotocols=["v5.channel.k8s.io"], max_size=None) as w:
		        assert w.subprotocol == "v5.channel.k8s.io", w.subprotocol
		        assert not w.extensions
		        assert await w.recv() == b"\1"
		        await asyncio.wait_for(await w.ping(b"x"), 30)
		        body = os.urandom(300000)
		        await w.send([b"\0" + body[:100000], body[100000:]])
		        got = b""
		        while len(got) < len(body):
		            m = await asyncio.wait_for(w.recv(), 30)
		            assert m[0] == 1
		            got += m[1:]
		        assert got == body
		        await w.send(b"\xff\0")
		        status = await asyncio.wait_for(w.recv(), 30)
		        assert status[0] == 3 and b"Success" in status, status
		        await asyncio.wait_for(w.wait_closed(), 30)
		        assert w.close_code == 1000, w.close_code
		    try:
		        await websockets.connect(url, subprotocols=["other"])
		    except websockets.InvalidStatusCode as e:
		        assert e.status_code == 400
		    else:
		        raise SystemExit("a foreign sub-protocol was accepted")
		    print("all right")
		asyncio.run(main(sys.argv[1]))
	END
	run inside /usr/bin/python3 "$DIR/client.py" "ws://$URL/api/v1/namespaces/default/pods/p/exec?command=cat&stdin=true&stdout=true"
	[ "$output" = "all right" ] || { echo "$output"; false; }
}
