#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# HTTP with other people's clients, proxies and servers.

load http.bash

setup_file() { http_setup_file; }

export URL=http://127.0.0.1:8080

# answers CURL-OPTION: everything a client asks for, by that version.
answers() {
	local n=5000000 page
	serve 127.0.0.1:8080 || return
	head -c 3000000 /dev/urandom >up
	curl -sS -m 60 "$1" -o json -w '%{http_version} %{http_code} %{size_download}\n' "$URL/json" || return
	[ "$(wc -c <json)" = 1024 ] || return
	# Debian's curl takes no more than 32 KB behind the head of an upgrade.
	[ "$1" = --http2 ] && n=20000
	curl -sS -m 60 "$1" -o big "$URL/big?n=$n" || return
	[ "$(wc -c <big)" = "$n" ] || return
	curl -sS -m 60 "$1" --data-binary @up -o down "$URL/echo" || return
	cmp up down || return
	curl -sS -m 60 "$1" -T up -H 'Expect: 100-continue' -o down "$URL/echo" || return
	cmp up down || return
	[ "$(curl -sS -m 60 "$1" -o /dev/null -w '%{http_code} %{size_download}' -I "$URL/json")" = "200 0" ] || return
	# One each: that curl cannot use a connection of prior knowledge twice (with nginx neither).
	for page in slow nope trailers; do
		curl -sS -m 60 "$1" "$URL/$page" -o $page || return
	done
	grep -q late slow && grep -q 'no such page' nope && grep -q body trailers
}

@test "curl: HTTP/1.1" {
	run alone answers --http1.1
	[ "$status" -eq 0 ] && [ "${lines[0]}" = "1.1 200 1024" ]
}

@test "curl: HTTP/1.0" {
	run alone answers --http1.0
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "curl: HTTP/2 by upgrade" {
	run alone answers --http2
	echo "$output"
	[ "$status" -eq 0 ] && [ "${lines[0]}" = "2 200 1024" ]
}

@test "curl: HTTP/2 by prior knowledge" {
	run alone answers --http2-prior-knowledge
	[ "$status" -eq 0 ] && [ "${lines[0]}" = "2 200 1024" ]
}

with_nghttp() {
	serve 127.0.0.1:8080 || return
	nghttp -nv "$URL/trailers" | grep -q 'x-sum: 42' || return
	nghttp -nu -s "$URL/json" "$URL/slow" "$URL/nope" | tail -4
}

@test "nghttp: trailers, upgrade, many at once" {
	have nghttp
	run alone with_nghttp
	[ "$status" -eq 0 ]
	[[ $output == *" 200 "*" /json"* && $output == *" 404 "* && $output == *" 200 "*" /slow"* ]]
}

with_h2load() {
	serve 127.0.0.1:8080 || return
	h2load -n 20000 -c 10 -m 20 "$URL/json" | grep -E '^(requests|status)' &&
		h2load -n 200 -c 4 -m 10 "$URL/big?n=200000" | grep -E '^(requests|status)' &&
		h2load --h1 -n 5000 -c 10 "$URL/json" | grep -E '^(requests|status)'
}

@test "h2load: every request is served" {
	have h2load
	run alone with_h2load
	[ "$status" -eq 0 ]
	[ "$(grep -c ' 0 failed, 0 errored, 0 timeout' <<<"$output")" -eq 3 ]
	[[ ${lines[0]} == *" 20000 succeeded"* && ${lines[2]} == *" 200 succeeded"* && ${lines[4]} == *" 5000 succeeded"* ]]
}

with_python() {
	serve 127.0.0.1:8080 || return
	python3 - <<'PY'
import http.client
c = http.client.HTTPConnection('127.0.0.1', 8080, timeout=60)
for i in range(100):
    c.request('POST' if i % 2 else 'GET', '/echo' if i % 2 else '/json', body=b'x' * i if i % 2 else None)
    r = c.getresponse()
    assert r.status == 200 and len(r.read()) == (i if i % 2 else 1024)
c.request('POST', '/echo', body=iter([b'a' * 1000] * 100), encode_chunked=True, headers={'Transfer-Encoding': 'chunked'})
r = c.getresponse()
assert r.read() == b'a' * 100000
c.request('GET', '/trailers')
assert c.getresponse().read() == b'body\n'
print('fine')
PY
}

@test "python http.client: kept connections, chunks" {
	run alone with_python
	[ "$status" -eq 0 ] && [ "$output" = fine ]
}

# nginx in front of us: HTTP/1.1 to us, HTTP/2 to its clients.
behind_nginx() {
	local i
	serve 127.0.0.1:8080 || return
	mkdir -p tmp
	cat >nginx.conf <<-CONF
		daemon off; master_process off; pid nginx.pid; error_log nginx.err;
		events { worker_connections 200; }
		http {
			access_log off; keepalive_requests 1000000; client_max_body_size 100m;
			client_body_temp_path tmp/b; proxy_temp_path tmp/p; fastcgi_temp_path tmp/f; uwsgi_temp_path tmp/u; scgi_temp_path tmp/s;
			upstream us { server 127.0.0.1:8080; keepalive 8; }
			server {
				listen 127.0.0.1:8081; listen 127.0.0.1:8082 http2;
				location / { proxy_pass http://us; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }
			}
		}
	CONF
	nginx -p "$PWD" -c nginx.conf >nginx.log 2>&1 </dev/null 3>&- &
	for ((i = 0; i < 200; i++)); do
		curl -sS -o /dev/null http://127.0.0.1:8081/json 2>/dev/null && break
		sleep 0.05
	done
	head -c 1000000 /dev/urandom >up
	curl -sS -m 60 --data-binary @up -o down http://127.0.0.1:8081/echo && cmp up down &&
		curl -sS -m 60 --http2-prior-knowledge --data-binary @up -o down http://127.0.0.1:8082/echo && cmp up down &&
		h2load -n 5000 -c 4 -m 8 http://127.0.0.1:8082/json | grep -E '^requests'
}

@test "nginx in front: kept connections, bodies both ways" {
	have nginx
	have h2load
	run alone behind_nginx
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"5000 succeeded, 0 failed"* ]]
}

handover() { python3 "$TOP/tests/tools/handover.py" "$SERVE" 4; }

@test "listeners are handed over under load, and one is killed: nothing fails" {
	run alone handover
	echo "$output"
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == *" served, 0 failed" ]]
}
