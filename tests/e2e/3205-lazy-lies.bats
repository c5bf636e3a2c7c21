#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Lazy start by a registry that is trusted and lies: what differs from the image is found out, named, and never published.

. "$BATS_TEST_DIRNAME/engine.bash"

R=127.0.0.1:5001

in_engine() { nsenter "--net=/proc/$(engine_pid)/ns/net" "--mount=/proc/$(engine_pid)/ns/mnt" "$@"; }
wire() {
	echo "$*" >"$DIR/wire.new"
	mv "$DIR/wire.new" "$DIR/wire"
}

# put_image NAME KEY: twelve megabytes in six files behind a busybox, pushed with its index.
put_image() {
	local i
	for i in 1 2 3 4 5 8; do
		openssl enc -aes-128-ctr -K "000000000000000000000000000000$2$i" -iv 0 -in /dev/zero 2>/dev/null | head -c 2000000 >"$DIR/tree/big/f$i"
	done
	(cd "$DIR/tree" && tar -c etc $(ls | grep -vE "^(big|etc)$") big) | docker import - "$R/$1:1" >/dev/null
	docker push -q "$R/$1:1"
	docker rmi "$R/$1:1" >/dev/null
	docker pull -q "$R/$1:1" # the index is made here
	docker push -q "$R/$1:1"
	docker rmi "$R/$1:1" >/dev/null
}

# The engine e makes the indexes, f believes them.
setup_file() {
	ENGINE_ARGS=(--lazy --lazy-wait 2)
	engine_setup_file
	[ -n "${DIR:-}" ] || return 0
	wire free
	in_engine "$TEU" --root "$DIR/reg" --run "$DIR/reg" registry --listen 127.0.0.1:5000 --pid-file "$DIR/reg-pid" \
		>"$DIR/reg-log" 2>&1 </dev/null 3>&- &
	in_engine python3 "$TOP/tests/tools/lazy-wire.py" "$R" 127.0.0.1:5000 "$DIR/wire" >"$DIR/wire-log" 2>&1 </dev/null 3>&- &
	until_ok in_engine curl -sf "http://$R/v2/"
	mkdir -p "$DIR/tree/big"
	tar -C "$DIR/tree" -xf "$("$TOP/tools/image" busybox)"
	put_image other b
	put_image app a
	(cd "$DIR/tree" && sha256sum big/*) >"$DIR/want"
	ENGINE_ARGS=(--lazy --lazy-trust --lazy-wait 20)
	engine_start f "$(engine_pid)"
}

setup() {
	engine_setup
	command -v zstd >/dev/null || skip "zstd is not installed"
	DOCKER_HOST=unix://$DIR/f/docker.sock
	: >"$DIR/f/log"
}
teardown() {
	[ -n "${DIR:-}" ] || return 0
	wire free
	remove_all
	docker images -q | xargs -r "$DOCKER" rmi -f >/dev/null
}
teardown_file() { engine_teardown_file; }

lie() { in_engine python3 "$TOP/tests/tools/lazy-lies.py" 127.0.0.1:5000 "$1"; }
logs() { grep -q "$1" "$DIR/f/log"; }
whole() { [ -z "$(ls -A "$DIR/f/root/store/lazy")" ]; }
lazily() { ! whole; }
# begin KIND: a container that runs, and has read the first file.
begin() {
	wire hold 9000000
	docker pull -q "$R/lie:$1" >/dev/null
	lazily
	docker run -d --name reads "$R/lie:$1" sleep 1000 >/dev/null
	docker exec reads cat big/f1 >/dev/null
}
# Of what the container had read soon not a byte is left in a cache, and no other container begins.
cannot_read() { ! docker exec reads sha256sum big/f1 | grep -qxF "$(head -1 "$DIR/want")"; }
all_fails() {
	until_ok cannot_read
	run docker run --rm "$R/lie:$1" true
	[ "$status" -ne 0 ]
	run docker save -o "$DIR/saved" "$R/lie:$1"
	[ "$status" -ne 0 ]
	prints "is not what the image says; pull it again"
	run docker push "$R/lie:$1"
	[ "$status" -ne 0 ]
	prints "is not what the image says; pull it again"
	lazily
	[ -z "$(ls -A "$DIR/f/root/store/snapshots")" ]
}

@test "an index that names another file is found out when the layer is whole" {
	lie entry
	begin entry
	docker exec reads ls big | grep -qx g8
	wire free
	until_ok logs "names other files than it has"
	until_ok logs "a lazy layer is not what it was said to be"
	all_fails entry
}

@test "another diff id is found out when the layer is whole" {
	lie diff
	begin diff
	wire free
	until_ok logs "its uncompressed bytes have diff id"
	all_fails diff
	run docker pull -q "$R/lie:diff"
	[ "$status" -ne 0 ]
}

@test "other bytes under the digest are found out when the layer is whole" {
	local digests blobs=$DIR/reg/store/blobs/sha256
	lie digest >"$DIR/digests"
	read -ra digests <"$DIR/digests"
	cp "$blobs/${digests[0]#*:}" "$DIR/honest"
	cp "$blobs/${digests[1]#*:}" "$blobs/${digests[0]#*:}"
	begin digest
	wire free
	until_ok logs "its bytes have digest"
	all_fails digest
	cp "$DIR/honest" "$blobs/${digests[0]#*:}"
}

# The last: its whole pull leaves an index of our own.
@test "an index with false hashes is found out at the first read, and the next pull is a whole one" {
	lie chunk
	wire free
	docker pull -q "$R/lie:chunk" >/dev/null
	until_ok logs "the index that the registry gave does not fit its layer.*do not have the sha256"
	until_ok logs "a lazy layer is not what its image says; reading it fails"
	run docker run --rm "$R/lie:chunk" sha256sum big/f8
	[ "$status" -ne 0 ]
	[ -z "$(ls -A "$DIR/f/root/store/snapshots")" ]
	docker pull -q "$R/lie:chunk" >/dev/null
	until_ok whole
	[ "$(docker run --rm "$R/lie:chunk" sh -c 'sha256sum big/*')" = "$(cat "$DIR/want")" ]
}
