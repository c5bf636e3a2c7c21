#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The cases of h2spec, by raw frames of our own (tests/tools/h2spec.py).

load http.bash

setup_file() { http_setup_file; }

cases() {
	serve 127.0.0.1:8080 || return
	python3 "$TOP/tests/tools/h2spec.py" 127.0.0.1 8080 --only "$1"
}

check() {
	run alone cases "$1"
	echo "$output" | grep -v ^ok || true
	[ "$status" -eq 0 ]
	[ "$(echo "$output" | grep -c ^ok)" -ge "$2" ]
}

@test "h2spec: generic" { check generic 40; }
@test "h2spec: http2" { check http2 90; }
@test "h2spec: hpack" { check hpack 8; }
@test "h2spec: of our own" { check teu 14; }

# The same frames within TLS records.
cases_over_tls() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost \
		-addext subjectAltName=DNS:localhost -keyout own.key -out own.pem >/dev/null 2>&1 || return
	serve --tls own 127.0.0.1:8443 || return
	python3 "$TOP/tests/tools/h2spec.py" 127.0.0.1 8443 --tls --only "$1"
}

check_over_tls() {
	run alone cases_over_tls "$1"
	echo "$output" | grep -v ^ok || true
	[ "$status" -eq 0 ]
	[ "$(echo "$output" | grep -c ^ok)" -ge "$2" ]
}

@test "h2spec: generic, over TLS" { check_over_tls generic 40; }
@test "h2spec: hpack, over TLS" { check_over_tls hpack 8; }
