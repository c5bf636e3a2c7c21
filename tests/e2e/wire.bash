# SPDX-License-Identifier: Apache-2.0
# What the tests of the wire share: a server of ours in a network namespace that lives as long as the test file. Each
# command that opens a socket runs there by `inside`.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$TOP/tests/e2e/words.bash"
TEU=${TEU:-$TOP/build/teu}
BUILD=${TEU_TEST_BUILD:-$TOP/build/gcc}

# wire_setup_file PROGRAM ADDRESS...: builds and starts it; $URL is its first address.
wire_setup_file() {
	[ "$(id -u)" = 0 ] && [ -x "$TEU" ] || return 0
	local program=$1
	shift
	ninja -C "$BUILD" "$program" >/dev/null || return 1
	DIR=$(mktemp -d /tmp/teu-wire-XXXXXX)
	export DIR HOME=$DIR
	mkfifo "$DIR/stdin"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost \
		-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$DIR/key.pem" -out "$DIR/cert.pem" >/dev/null 2>&1 || true
	# The namespace is the server's; it ends when nobody holds its standard input any more.
	unshare -n sh -c 'ip link set lo up; exec "$@"' sh "$BUILD/$program" "${@//DIR/$DIR}" <>"$DIR/stdin" >"$DIR/out" 2>"$DIR/err" 3>&- &
	export SERVER=$!
	until_ok grep -q ready "$DIR/out" || { cat "$DIR/err"; return 1; }
	URL=$(head -1 "$DIR/out")
	export URL=${URL#tcp://}
	TLS=$(sed -n 2p "$DIR/out")
	export TLS=${TLS#tcp://}
}

wire_setup() { [ -n "${DIR:-}" ] || skip "needs root and a built teu"; }

wire_teardown_file() {
	[ -n "${DIR:-}" ] || return 0
	kill "$SERVER" 2>/dev/null || true
	wait "$SERVER" 2>/dev/null || true
	rm -rf "$DIR"
}

inside() { timeout 60 nsenter -t "$SERVER" -n -- "$@"; }
