#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# TLS with other people's programs: curl, openssl, python, nginx; certificates, resumption, reload.

load http.bash

setup_file() {
	http_setup_file
	export PEER=${TEU_TLS_PEER:-$TOP/build/gcc/tests/tls-peer}
	[ -x "$PEER" ] || ninja -C "$TOP/build/gcc" tests/tls-peer >/dev/null
	export C=$BATS_FILE_TMPDIR/certs
	mkdir -p "$C"
	"$PEER" make "$C"
}

# peer [OPTION...]: our server on 127.0.0.1:4443; its standard input is the fifo "in" (fd 9).
peer() {
	local i
	mkfifo in
	"$PEER" serve "$@" 127.0.0.1:4443 <in >peer.log 2>peer.err 3>&- &
	PEER_PID=$!
	exec 9>in
	await ready
}

# await WORD [TIMES]: waits until the server has said it.
await() {
	local i
	for ((i = 0; i < 600; i++)); do
		[ "$(grep -c "^$1" peer.log 2>/dev/null)" -lt "${2:-1}" ] || return 0
		sleep 0.05
	done
	cat peer.log peer.err >&2
	return 1
}

own() { echo --cert "$C/server.pem" --key "$C/server.key"; }
ask() { curl -sS -m 20 --cacert "$C/ca.pem" "$@" 2>&1; }

curl_cases() {
	peer $(own) --alpn http/1.1
	ask https://127.0.0.1:4443/who
	ask --tls-max 1.2 https://localhost:4443/who
	ask --resolve a.wild.test:4443:127.0.0.1 https://a.wild.test:4443/who
	ask https://localhost:4443/219k | wc -c
	head -c 3000000 /dev/urandom >body
	ask --data-binary @body https://localhost:4443/echo | cmp - body && echo "echoed 1.3"
	ask --tls-max 1.2 --data-binary @body https://localhost:4443/echo | cmp - body && echo "echoed 1.2"
	ask http://127.0.0.1:4443/who
}

@test "tls: curl by name, wildcard and address, both versions, large bodies" {
	run alone curl_cases
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == "version=1.3 cipher=TLS_"*" alpn=http/1.1 sni= "* ]]
	[[ "${lines[1]}" == "version=1.2 cipher=TLS_ECDHE_ECDSA_"*" sni=localhost "* ]]
	[[ "${lines[2]}" == *"sni=a.wild.test"* ]]
	[ "${lines[3]}" = 224256 ]
	[ "${lines[4]}" = "echoed 1.3" ]
	[ "${lines[5]}" = "echoed 1.2" ]
	[ "${lines[6]}" = "Client sent an HTTP request to an HTTPS server." ]
}

versions_case() {
	peer $(own) --min 1.3
	ask --tls-max 1.2 https://localhost:4443/who
	ask https://localhost:4443/who
}

@test "tls: a version that is not allowed is refused" {
	run alone versions_case
	[[ "${lines[0]}" == *"alert protocol version"* ]]
	[[ "${lines[1]}" == "version=1.3 "* ]]
}

client_certs() {
	local mode v
	for v in 1.2 1.3; do
		rm -f in peer.log
		peer $(own) --ca "$C/ca.pem" --crl "$C/ca.crl" --client require --max $v
		ask --cert "$C/client.pem" --key "$C/client.key" https://localhost:4443/who
		ask https://localhost:4443/who >none || echo "refused none"
		ask --cert "$C/revoked.pem" --key "$C/revoked.key" https://localhost:4443/who >revoked || echo "refused revoked"
		grep -qi 'alert certificate required\|alert handshake failure' none || cat none
		grep -qi 'revoked' revoked || cat revoked
		exec 9>&-
		wait
	done
	rm -f in peer.log
	peer $(own) --ca "$C/ca.pem" --client ask
	ask https://localhost:4443/who
	ask --cert "$C/rogue.pem" --key "$C/rogue.key" https://localhost:4443/who
}

@test "tls: client certificates required, revoked, asked for" {
	run alone client_certs
	echo "$output"
	[[ "${lines[0]}" == "version=1.2 "*" cn=alice o=users verified=1 reason=-" ]]
	[ "${lines[1]}" = "refused none" ]
	[ "${lines[2]}" = "refused revoked" ]
	[[ "${lines[3]}" == "version=1.3 "*" cn=alice o=users verified=1 reason=-" ]]
	[ "${lines[4]}" = "refused none" ]
	[ "${lines[5]}" = "refused revoked" ]
	[[ "${lines[6]}" == *" cn=- o=- verified=0 reason=-" ]]
	[[ "${lines[7]}" == *" cn=rogue "*" verified=0 reason=certificate 'CN=rogue' is signed by 'CN=rogue CA', which is not trusted here"* ]]
}

# What our client says of servers that are not right.
wrong_servers() {
	peer --cert "$C/expired.pem" --key "$C/expired.key"
	"$PEER" get --ca "$C/ca.pem" https://127.0.0.1:4443 2>&1
	"$PEER" get --ca "$C/rogue-ca.pem" https://127.0.0.1:4443 2>&1
	exec 9>&-
	wait
	rm -f in peer.log
	peer $(own)
	"$PEER" get --ca "$C/ca.pem" --name elsewhere.test https://127.0.0.1:4443 2>&1
	"$PEER" get --ca "$C/ca.pem" https://127.0.0.1:4443 2>&1 | head -1
	"$PEER" get --insecure --name elsewhere.test https://127.0.0.1:4443 2>&1 | head -1
	"$PEER" get --ca "$C/ca.pem" https://127.0.0.1:4444 2>&1
	return 0
}

@test "tls: our client says what is wrong with a server" {
	run alone wrong_servers
	echo "$output"
	[[ "${lines[0]}" == *"certificate 'CN=old' expired on "*"(10 days ago); it must be renewed" ]]
	[[ "${lines[1]}" == *"is signed by 'CN=test CA', which is not trusted here"* ]]
	[[ "${lines[2]}" == *"is not for 'elsewhere.test', but for localhost, *.wild.test, 127.0.0.1" ]]
	[[ "${lines[3]}" == "200 version=1.3 "* ]]
	[[ "${lines[4]}" == "200 version=1.3 "* ]]
	[[ "${lines[5]}" == *"Connection refused"* ]]
}

sni_case() {
	peer $(own) --cert "$C/other.pem" --key "$C/other.key"
	for n in localhost other.test unknown.test; do
		openssl s_client -connect 127.0.0.1:4443 -servername $n </dev/null 2>/dev/null | grep ^subject
	done
}

@test "tls: the certificate is the one of the name" {
	run alone sni_case
	[ "${lines[0]}" = "subject=CN = server" ]
	[ "${lines[1]}" = "subject=CN = other" ]
	[ "${lines[2]}" = "subject=CN = server" ]
}

# s_client VERSION ARG...: one request; prints New or Reused.
s_client() {
	local v=$1
	shift
	{ printf 'GET /who HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'; sleep 0.3; } |
		openssl s_client -connect 127.0.0.1:4443 -servername localhost -CAfile "$C/ca.pem" -ign_eof "-tls$v" "$@" 2>&1 | grep -aoE '^(New|Reused),'
}

resumption() {
	local v
	peer $(own)
	for v in 1_2 1_3; do
		s_client $v -sess_out s$v
		s_client $v -sess_in s$v
	done
	cp "$C/other.pem" next.pem
	echo reload >&9
	await reloaded
	s_client 1_2 -sess_in s1_2
	"$PEER" get --ca "$C/ca.pem" --times 3 https://127.0.0.1:4443 | grep -o 'resumed=.'
}

@test "tls: sessions are resumed, also over a reload" {
	run alone resumption
	echo "$output"
	[ "$(echo $output)" = "New, Reused, New, Reused, Reused, resumed=0 resumed=1 resumed=1" ]
}

# Certificates are exchanged while requests run: none fails.
reload_under_load() {
	local i pids=()
	cp "$C/server.pem" s.pem
	cp "$C/server.key" s.key
	peer --cert s.pem --key s.key
	for i in 1 2 3; do
		(for ((k = 0; k < 40; k++)); do
			curl -sS -k -m 20 https://127.0.0.1:4443/who >>got.$i 2>>bad || echo "failed $?" >>bad
		done) &
		pids+=($!)
	done
	for i in 1 2 3 4 5 6 7 8; do
		if ((i % 2)); then f=other; else f=server; fi
		cp "$C/$f.pem" s.pem.new && mv s.pem.new s.pem
		cp "$C/$f.key" s.key.new && mv s.key.new s.key
		echo reload >&9
		await reloaded $i
	done
	wait "${pids[@]}"
	echo rubbish >s.pem
	echo reload >&9
	await "not reloaded"
	ask https://127.0.0.1:4443/who | grep -o 'version=1.3'
	cat got.* | grep -c '^version=1.3'
	[ ! -s bad ] || cat bad
}

@test "tls: a reload under load fails no request, a bad one changes nothing" {
	run alone reload_under_load
	echo "$output"
	[ "${lines[0]}" = version=1.3 ]
	[ "${lines[1]}" = 120 ]
	[ "${#lines[@]}" -eq 2 ]
}

upgrade() {
	peer $(own)
	python3 - "$C/ca.pem" <<'PY'
import socket, ssl, sys
for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    ctx = ssl.create_default_context(cafile=sys.argv[1])
    ctx.minimum_version = ctx.maximum_version = version
    c = ctx.wrap_socket(socket.create_connection(("127.0.0.1", 4443), 20), server_hostname="localhost")
    c.sendall(b"GET /raw HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
    head = b""
    while b"\r\n\r\n" not in head:
        head += c.recv(4096)
    assert head.startswith(b"HTTP/1.1 101"), head
    body = bytes(range(256)) * 400
    got = b""
    for i in range(5):
        c.sendall(body)
        want = len(got) + len(body)
        while len(got) < want:
            got += c.recv(65536)
    assert got == body * 5
    raw = c.unwrap() if version == ssl.TLSVersion.TLSv1_3 else c
    print("raw", version.name)
    raw.close()
PY
}

@test "tls: an upgraded connection carries bytes both ways and ends" {
	have python3
	run alone upgrade
	echo "$output"
	[ "${lines[0]}" = "raw TLSv1_2" ]
	[ "${lines[1]}" = "raw TLSv1_3" ]
}

against_s_server() {
	local i
	openssl s_server -accept 127.0.0.1:4443 -cert "$C/server.pem" -key "$C/server.key" -www -quiet >s_server.log 2>&1 </dev/null 3>&- &
	for ((i = 0; i < 200; i++)); do
		"$PEER" get --ca "$C/ca.pem" https://127.0.0.1:4443 >out 2>&1 && break
		sleep 0.05
	done
	head -c 3 out
	echo
	"$PEER" get --ca "$C/ca.pem" --max 1.2 https://127.0.0.1:4443 | head -c 3
}

@test "tls: our client with openssl's server" {
	run alone against_s_server
	echo "$output"
	[ "${lines[0]}" = 200 ]
	[ "${lines[1]}" = 200 ]
}

with_nginx() {
	local i
	peer $(own) --ca "$C/ca.pem" --client verify
	cat >conf <<-CONF
		daemon off; pid $PWD/pid; error_log $PWD/error.log; user root;
		events { }
		http { access_log off; client_body_temp_path $PWD/t; proxy_temp_path $PWD/t; fastcgi_temp_path $PWD/t; uwsgi_temp_path $PWD/t; scgi_temp_path $PWD/t;
		server { listen 127.0.0.1:4500 ssl; ssl_certificate $C/server.pem; ssl_certificate_key $C/server.key; ssl_protocols TLSv1.2 TLSv1.3;
		  location / { proxy_pass https://127.0.0.1:4443; proxy_ssl_verify on; proxy_ssl_trusted_certificate $C/ca.pem; proxy_ssl_name localhost;
		  proxy_ssl_protocols TLSv1.3; proxy_ssl_certificate $C/client.pem; proxy_ssl_certificate_key $C/client.key; } } }
	CONF
	nginx -p "$PWD" -c "$PWD/conf" >nginx.log 2>&1 </dev/null 3>&- &
	for ((i = 0; i < 200; i++)); do
		"$PEER" get --ca "$C/ca.pem" --times 2 https://127.0.0.1:4500 >out 2>&1 && break
		sleep 0.05
	done
	grep -o 'cn=.*' out
}

@test "tls: nginx before our server, our client before nginx" {
	PATH=$PATH:/usr/sbin
	have nginx
	run alone with_nginx
	echo "$output"
	[ "${lines[0]}" = "cn=alice o=users verified=1 reason=-" ]
	[ "${lines[1]}" = "cn=alice o=users verified=1 reason=-" ]
}

# Our server asked for new keys by openssl ("K"), told of some ("k"), between requests.
# Each word to openssl alone, when the one before has had its effect: it takes a command only at the begin of what it reads.
key_updates() {
	local asked=1 told=0 w
	peer $(own)
	mkfifo words
	timeout 120 openssl s_client -connect 127.0.0.1:4443 -tls1_3 -CAfile "$C/ca.pem" -msg <words >out 2>&1 &
	exec 8>words
	printf 'GET /who HTTP/1.1\r\nHost: a\r\n\r\n' >&8
	seen '^version=1.3' 1
	for w in K k K; do
		echo $w >&8
		told=$((told + 1)) asked=$((asked + 1))
		seen '>>>.*KeyUpdate' $told
		printf 'GET /who HTTP/1.1\r\nHost: a\r\n\r\n' >&8
		seen '^version=1.3' $asked
	done
	exec 8>&-
	grep -ac '^version=1.3' out
	grep -ac '>>>.*KeyUpdate' out
	grep -ac '<<<.*KeyUpdate' out
}

# seen WORDS TIMES: waits until openssl has printed them so often.
seen() {
	local i
	for ((i = 0; i < 600; i++)); do
		[ "$(grep -ac "$1" out)" -lt "$2" ] || return 0
		sleep 0.05
	done
	tail -5 out
	return 1
}

@test "tls: keys are updated when openssl asks" {
	run alone key_updates
	echo "$output"
	[ "${lines[0]}" = 4 ]
	[ "${lines[1]}" = 3 ]
	[ "${lines[2]}" = 2 ]
}

handed_over() {
	[ -x "$SERVE" ] || ninja -C "$TOP/build/gcc" tests/http-serve >/dev/null
	python3 "$TOP/tests/tools/handover.py" "$SERVE" 3 "$C/server"
}

@test "tls: listeners are handed over under load, and one is killed: nothing fails" {
	have python3
	run alone handed_over
	echo "$output"
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == *" served, 0 failed" ]]
}

idle_memory() {
	local hard
	hard=$(ulimit -Hn)
	ulimit -n "$hard"
	[ "$hard" = unlimited ] || [ "$hard" -gt 6000 ] || { echo "few files: $hard"; return 0; }
	peer $(own)
	python3 - "$PEER_PID" <<'PY'
import socket, ssl, sys
ctx = ssl._create_unverified_context()
ctx.minimum_version = ssl.TLSVersion.TLSv1_3
def one():
    c = ctx.wrap_socket(socket.create_connection(("127.0.0.1", 4443), 60))
    c.sendall(b"GET /1k HTTP/1.1\r\nHost: a\r\n\r\n")
    got = b""
    while len(got) < 1024:
        b = c.recv(4096)
        assert b, "closed"
        got += b
    # The client keeps the socket, not its TLS: this is about the server.
    return socket.socket(fileno=c.detach())
def used():
    for line in open("/proc/%s/smaps_rollup" % sys.argv[1]):
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1])
held = [one() for _ in range(200)]
before = used()
held += [one() for _ in range(5000)]
each = (used() - before) / 5000
print("KB each: %.1f" % each)
print("small" if each <= 14 else "large")
PY
}

@test "tls: 5,000 idle connections take at most 14 KB each" {
	have python3
	run alone idle_memory
	echo "$output"
	[[ ${lines[0]} != "few files"* ]] || skip "${lines[0]}"
	[ "${lines[1]}" = small ]
}
