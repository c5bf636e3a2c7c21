#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Names in URLs: hosts, resolv.conf, DNS over UDP and TCP, happy eyeballs. All in a network namespace and below an /etc
# of its own, with `teu bench` as the program that dials. A stub tells what was asked; dnsmasq is a server of others.

bats_require_minimum_version 1.5.0
load wire.bash

# The namespaces are the wire server's. Below $DIR/etc is what it sees as /etc.
setup_file() {
	[ "$(id -u)" = 0 ] && [ -x "$TEU" ] || return 0
	unshare -n sh -c 'ip link set lo up && ip -6 addr show dev lo | grep -q ::1' || return 0
	ninja -C "$BUILD" tests/bench/wire-server >/dev/null || return 1
	DIR=$(mktemp -d /tmp/teu-dial-XXXXXX)
	export DIR HOME=$DIR
	mkdir "$DIR/etc"
	cp -a /etc/passwd /etc/group /etc/ld.so.* /etc/alternatives "$DIR/etc" 2>/dev/null || true
	printf 'passwd: files\ngroup: files\nhosts: files\n' >"$DIR/etc/nsswitch.conf"
	: >"$DIR/etc/hosts"
	: >"$DIR/etc/resolv.conf"
	: >"$DIR/zone"
	: >"$DIR/log"
	mkfifo "$DIR/stdin"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=web.test \
		-addext subjectAltName=DNS:web.test -keyout "$DIR/key.pem" -out "$DIR/cert.pem" >/dev/null 2>&1 || true
	unshare -mn sh -c 'ip link set lo up && mount --bind "$0/etc" /etc && exec "$@"' "$DIR" \
		"$BUILD/tests/bench/wire-server" 0.0.0.0:8080 "[::1]:8080" "tls:$DIR/cert.pem:$DIR/key.pem:127.0.0.1:8443" \
		<>"$DIR/stdin" >"$DIR/out" 2>"$DIR/err" 3>&- &
	export SERVER=$!
	until_ok grep -q ready "$DIR/out" || { cat "$DIR/err"; return 1; }
	nsenter -t "$SERVER" -n -m -- /usr/bin/python3 "$TOP/tests/tools/dns-stub.py" 127.0.0.1 53 "$DIR/zone" "$DIR/log" \
		<>"$DIR/stdin" >"$DIR/stub-out" 2>"$DIR/stub-err" 3>&- &
	export STUB=$!
	until_ok grep -q ready "$DIR/stub-out" || { cat "$DIR/stub-err"; return 1; }
}

teardown_file() {
	[ -n "${DIR:-}" ] || return 0
	kill "$STUB" "$SERVER" 2>/dev/null || true
	wait "$STUB" "$SERVER" 2>/dev/null || true
	rm -rf "$DIR"
}

setup() {
	[ -n "${DIR:-}" ] || skip "needs root, a built teu and IPv6"
	: >"$DIR/log"
	: >"$DIR/etc/hosts"
	printf '%s\n' "nameserver 127.0.0.1" "options timeout:5 attempts:2" >"$DIR/etc/resolv.conf"
	: >"$DIR/zone"
}

teardown() {
	[ -z "${DNSMASQ:-}" ] || kill "$DNSMASQ" 2>/dev/null || true
	[ -z "${DNSMASQ:-}" ] || wait "$DNSMASQ" || true
}

here() { nsenter -t "$SERVER" -n -m -- "$@"; }
b() { timeout 60 nsenter -t "$SERVER" -n -m -- "$TEU" bench "$@"; }
zone() { printf '%s\n' "$@" >"$DIR/zone"; }
# answered URL...: all of five requests to each are.
answered() {
	local url
	for url; do
		run b http -n 5 "$url"
		[ "$status" -eq 0 ] || { echo "$url: $output"; return 1; }
		prints "5 answered"
	done
}
# asked FORM: the questions that came, sorted, each once, are these lines.
asked() { diff <(sort -u "$DIR/log") <(printf '%s\n' "$@" | sort -u); }
# Questions of one type in the order they came.
asked_in_order() { diff <(awk -v t="$1" '$3 == t { print $2 }' "$DIR/log" | uniq) <(printf '%s\n' "${@:2}"); }

@test "the hosts file comes first, and DNS is not asked" {
	printf '%s\n' "127.0.0.1 web.test # comment" "::1 six.test alias.test" >"$DIR/etc/hosts"
	zone "web.test A 127.0.0.99"
	answered http://web.test:8080/1k http://WEB.test:8080/1k http://six.test:8080/1k http://alias.test:8080/1k http://localhost:8080/1k
	[ ! -s "$DIR/log" ]
}

@test "DNS: both families are asked; aliases are followed" {
	zone "web.test A 127.0.0.1" "six.test AAAA ::1" "other.test CNAME web.test"
	answered http://web.test:8080/1k
	asked "udp web.test A" "udp web.test AAAA"
	answered http://six.test:8080/1k http://other.test:8080/1k http://web.test.:8080/1k
}

@test "search list and ndots" {
	echo "search one.test two.test" >>"$DIR/etc/resolv.conf"
	zone "web.two.test A 127.0.0.1" "a.b.one.test A 127.0.0.1" "a.b.c A 127.0.0.1"
	answered http://web:8080/1k
	asked_in_order A web.one.test web.two.test
	: >"$DIR/log"
	answered http://a.b.c:8080/1k
	asked_in_order A a.b.c
	: >"$DIR/log"
	echo "options ndots:2" >>"$DIR/etc/resolv.conf"
	answered http://a.b:8080/1k
	asked_in_order A a.b.one.test
	: >"$DIR/log"
	run b http -n 1 http://a.b.:8080/1k
	[ "$status" -eq 1 ]
	asked_in_order A a.b
}

@test "a cut answer is asked for again over TCP" {
	zone "big.test TC" "big.test A 127.0.0.1"
	answered http://big.test:8080/1k
	asked "udp big.test A" "udp big.test AAAA" "tcp big.test A" "tcp big.test AAAA"
}

@test "use-vc asks over TCP only" {
	echo "options use-vc" >>"$DIR/etc/resolv.conf"
	zone "web.test A 127.0.0.1"
	answered http://web.test:8080/1k
	asked "tcp web.test A" "tcp web.test AAAA"
}

@test "a dead IPv6 address does not stop the IPv4 one" {
	# What is sent to fd00:1::2 goes nowhere, and nobody says so.
	here ip link add dead0 type veth peer name dead1 || skip "no veth here"
	here ip addr add fd00:1::1/64 dev dead0 nodad
	here ip link set dead0 up
	here ip link set dead1 up
	here ip neigh add fd00:1::2 lladdr 02:00:00:00:00:02 dev dead0 nud permanent
	zone "web.test AAAA fd00:1::2" "web.test A 127.0.0.1"
	answered http://web.test:8080/1k
	run b grpc -n 5 http://web.test:8080/grpc.health.v1.Health/Check
	prints "5 answered"
	run b ws -n 5 ws://web.test:8080/ws
	prints "5 answered"
	here ip link del dead0
}

@test "a name server that is not there, one that fails, one that answers" {
	printf '%s\n' "nameserver 127.0.0.9" "nameserver 127.0.0.1" "options timeout:1" >"$DIR/etc/resolv.conf"
	zone "web.test A 127.0.0.1" "bad.test SERVFAIL"
	answered http://web.test:8080/1k
	run b http -n 1 http://bad.test:8080/1k
	[ "$status" -eq 1 ]
	prints bad.test
}

@test "what cannot be reached is told: each address and why; names that are not there" {
	zone "web.test A 127.0.0.1" "web.test AAAA ::1"
	run b http -n 1 http://web.test:1/1k
	[ "$status" -eq 1 ]
	prints "[::1]:1"
	prints "127.0.0.1:1"
	prints "refused"
	run b http -n 1 http://nowhere.test:8080/1k
	[ "$status" -eq 1 ]
	prints nowhere.test
	run b http -n 1 http://-:8080/1k
	[ "$status" -ne 0 ]
}

@test "a name server that says nothing ends in time, by name" {
	printf '%s\n' "nameserver 127.0.0.1" "options timeout:1 attempts:1" >"$DIR/etc/resolv.conf"
	zone "mute.test MUTE"
	run b http -n 1 http://mute.test:8080/1k
	[ "$status" -eq 1 ]
	prints mute.test
}

@test "gRPC, WebSocket and TLS by name; the certificate must be for it" {
	zone "web.test A 127.0.0.1" "other.test A 127.0.0.1"
	run b grpc -n 50 -c 2 -s 5 http://web.test:8080/grpc.health.v1.Health/Check
	prints "50 answered"
	run b ws -n 50 -c 2 ws://web.test:8080/ws
	prints "50 answered"
	run b http -n 50 -c 2 --cacert "$DIR/cert.pem" https://web.test:8443/1k
	prints "50 answered"
	run b http -n 1 --cacert "$DIR/cert.pem" https://other.test:8443/1k
	[ "$status" -eq 1 ]
	prints other.test
	run b http -n 20 -c 2 -t 2 --no-keepalive http://web.test:8080/1k
	prints "20 answered"
}

@test "dnsmasq: records, aliases, many addresses over TCP, names it does not have" {
	command -v dnsmasq >/dev/null || skip "dnsmasq is not installed"
	for i in $(seq 200); do echo "127.0.0.$i many.example"; done >"$DIR/many"
	nsenter -t "$SERVER" -n -m -- dnsmasq --no-daemon --conf-file=/dev/null --no-hosts --no-resolv --user=root --pid-file= --bind-interfaces \
		--listen-address=127.0.0.2 --port=53 --local=/example/ --addn-hosts="$DIR/many" --max-cache-ttl=1 \
		--host-record=web.example,127.0.0.1,::1 --cname=alias.example,web.example >"$DIR/dnsmasq.log" 2>&1 <"$DIR/zone" 3>&- &
	DNSMASQ=$!
	until_ok grep -q "started" "$DIR/dnsmasq.log"
	printf '%s\n' "nameserver 127.0.0.2" "search example" >"$DIR/etc/resolv.conf"
	answered http://web.example:8080/1k http://alias.example:8080/1k http://web:8080/1k http://many.example:8080/1k || {
		cat "$DIR/dnsmasq.log"
		return 1
	}
	run b http -n 1 http://nothing.example:8080/1k
	[ "$status" -eq 1 ]
	prints nothing.example
}
