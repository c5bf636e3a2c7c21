#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Lazy start of layers that nobody here has seen before: a container runs while its layer streams in for the first time.

. "$BATS_TEST_DIRNAME/engine.bash"

R=127.0.0.1:5001
ENOUGH=3000000

in_engine() { nsenter "--net=/proc/$(engine_pid)/ns/net" "--mount=/proc/$(engine_pid)/ns/mnt" "$@"; }
wire() {
	echo "$*" >"$DIR/wire.new"
	mv "$DIR/wire.new" "$DIR/wire"
}
F() { docker -H "unix://$DIR/f/docker.sock" "$@"; }

# fill DIRECTORY KEY: six megabytes in six files that compress to three quarters.
fill() {
	local i
	mkdir -p "$1"
	for i in 1 2 3 4 5 6; do
		openssl enc -aes-128-ctr -K "000000000000000000000000000000$2$i" -iv 0 -in /dev/zero 2>/dev/null | head -c 750000 | base64 >"$1/f$i"
	done
}
# new_tree: a busybox, without its history.
new_tree() {
	rm -rf "$DIR/tree"
	mkdir "$DIR/tree"
	tar -C "$DIR/tree" -xf "$("$TOP/tools/image" busybox)"
}
# push NAME FILE...: an image of one layer a file that only the registry has; the layers' digests in $DIGESTS.
push() { DIGESTS=$(in_engine python3 "$TOP/tests/tools/push-layers.py" 127.0.0.1:5000 "$@"); }
pack() { tar -C "$DIR/tree" --sort=name --numeric-owner -cf - .; }
# What a container sees of its image; sizes and links of directories are the file system's own.
LOOK='cd / && find . -xdev ! -type d | grep -vE "^./(dev/|proc/|sys/|tmp/|[.]dockerenv|etc/(hosts|hostname|resolv.conf|mtab))" | LC_ALL=C sort >/tmp/list
	xargs stat -c "%n %f %u:%g %s %Y %h" </tmp/list; while read f; do [ -L "$f" ] || sha256sum "$f"; done </tmp/list
	find . -xdev -type d | grep -vE "^./(dev|proc|sys|tmp|[.]$)" | LC_ALL=C sort | xargs stat -c "%n %f %u:%g"'

# The engine e makes images, f sees each for the first time.
setup_file() {
	ENGINE_ARGS=()
	engine_setup_file
	[ -n "${DIR:-}" ] || return 0
	wire free
	in_engine "$TEU" --root "$DIR/reg" --run "$DIR/reg" registry --listen 127.0.0.1:5000 --pid-file "$DIR/reg-pid" \
		>"$DIR/reg-log" 2>&1 </dev/null 3>&- &
	in_engine python3 "$TOP/tests/tools/lazy-wire.py" "$R" 127.0.0.1:5000 "$DIR/wire" >"$DIR/wire-log" 2>&1 </dev/null 3>&- &
	until_ok in_engine curl -sf "http://$R/v2/"
	ENGINE_ARGS=(--lazy --lazy-early --lazy-wait 2)
	engine_start f "$(engine_pid)"
}

setup() {
	engine_setup
	: >"$DIR/f/log"
}
teardown() {
	[ -n "${DIR:-}" ] || return 0
	wire free
	F ps -aq | xargs -r "$DOCKER" -H "unix://$DIR/f/docker.sock" rm -f >/dev/null
	F images -q | xargs -r "$DOCKER" -H "unix://$DIR/f/docker.sock" rmi -f >/dev/null
}
teardown_file() { engine_teardown_file; }

logs() { grep -q "$1" "$DIR/f/log"; }
whole() { [ -z "$(ls -A "$DIR/f/root/store/lazy")" ]; }
served() { ! whole; }
# begin NAME: a container that runs while most of its layer is behind a wire that holds, and has looked for what is not there.
begin() {
	wire hold $ENOUGH
	F pull -q "$R/$1:1" >/dev/null
	F run -d --name reads "$R/$1:1" sleep 1000 >/dev/null
	F exec reads sh -c 'test ! -e /bin/late && cat /bin/busybox >/dev/null'
	served
}
cannot_read() { ! F exec reads sha256sum /bin/busybox; }
# Of what the container had read soon nothing is left, no other container begins, and nothing was published.
all_fails() {
	until_ok logs "a lazy layer is not what its image says; reading it fails"
	until_ok cannot_read
	run F run --rm "$R/$1:1" true
	[ "$status" -ne 0 ]
	run F save -o "$DIR/saved" "$R/$1:1"
	[ "$status" -ne 0 ]
	prints "is not what the image says; pull it again"
	served
	[ ! -e "$DIR/f/root/store/snapshots/$(ls "$DIR/f/root/store/lazy")" ]
}
state_is_running() { [ "$(F inspect -f '{{.State.Status}}' "$1")" = running ]; }

@test "the first pull starts the container while its layer comes, and all of it is what a whole pull brings" {
	F info >"$DIR/info"
	grep -q "Lazy start: every pull, the first of a layer too" "$DIR/info"
	new_tree
	fill "$DIR/tree/zz" a
	ln "$DIR/tree/zz/f1" "$DIR/tree/zz/hard"
	pack | gzip -1 >"$DIR/app.tar.gz"
	push app "$DIR/app.tar.gz"
	wire hold $ENOUGH
	run timeout 20 "$DOCKER" -H "unix://$DIR/f/docker.sock" run --rm "$R/app:1" sh -c 'echo it runs; stat -c %a:%u /tmp; test ! -e /nowhere/at/all'
	[ "$status" -eq 0 ]
	prints "it runs"
	prints "1777:0"
	served
	run F save -o "$DIR/saved" "$R/app:1"
	[ "$status" -ne 0 ]
	prints "is still on its way from $R/app (lazy start)"
	F run -d --name stays "$R/app:1" sh -c "$LOOK" >/dev/null
	state_is_running stays
	wire free
	until_ok whole
	[ "$(F wait stays)" = 0 ]
	F logs stays >"$DIR/early"
	F run --rm "$R/app:1" sh -c "$LOOK" >"$DIR/late"
	grep -q "zz/f6" "$DIR/early"
	diff "$DIR/early" "$DIR/late"
	! logs "cannot be served"
	[ "$(F image inspect -f '{{.Size}}' "$R/app:1")" -gt 6000000 ]
	# its index was kept: the next pull starts by that
	F rmi -f "$R/app:1" >/dev/null
	F rm -f stays >/dev/null
	F rmi -f "$R/app:1" >/dev/null || true
	wire hold $ENOUGH
	F pull -q "$R/app:1"
	[ -e "$(echo "$DIR"/f/root/store/lazy/*)/index" ]
}

# The three ways in which whiteouts, opaque directories, links and holes come, each layer in another compression.
@test "layers above others are served as they come: whiteouts, opaque directories, links, sparse files" {
	command -v zstd >/dev/null || skip "zstd is not installed"
	new_tree
	mkdir -p "$DIR/tree/"{gone,keep,swap}
	echo 1 | tee "$DIR/tree/"{cut,gone/a,gone/b,keep/x,swap/old} >/dev/null
	fill "$DIR/tree/zz" b
	# two frames, two members with zeros behind them
	pack >"$DIR/base.tar"
	{ head -c 3000000 "$DIR/base.tar" | zstd -q -1; tail -c +3000001 "$DIR/base.tar" | zstd -q -1; } >"$DIR/base.tar.zst"
	rm -rf "$DIR/tree"
	mkdir -p "$DIR/tree/"{gone,keep,swap,zz2}
	: | tee "$DIR/tree/"{.wh.cut,gone/.wh.a,swap/.wh..wh..opq} >/dev/null
	echo 2 | tee "$DIR/tree/"{gone/c,swap/new} >/dev/null
	chmod 2711 "$DIR/tree/keep"
	head -c 1500000 /dev/urandom >"$DIR/tree/zz2/big"
	ln "$DIR/tree/zz2/big" "$DIR/tree/zz2/hard"
	truncate -s 3000000 "$DIR/tree/zz2/sparse"
	echo end | dd of="$DIR/tree/zz2/sparse" bs=1 seek=1500000 conv=notrunc status=none
	tar -C "$DIR/tree" -S --sort=name --owner=7 --group=8 --numeric-owner -cf "$DIR/upper.tar" .
	{ head -c 700000 "$DIR/upper.tar" | gzip -1; tail -c +700001 "$DIR/upper.tar" | gzip -1; head -c 512 /dev/zero; } >"$DIR/upper.tar.gz"
	# Whiteouts at the place of what they hide, the opaque mark behind its directory: as of a diff of directories.
	mkdir "$DIR/tree/keep/sub"
	: | tee "$DIR/tree/"{gone/.wh.b,keep/.wh.x,swap/.wh.new} >/dev/null
	head -c 1500000 /dev/urandom >"$DIR/tree/top"
	tar -C "$DIR/tree" --no-recursion -cf "$DIR/top.tar" gone gone/.wh.b gone/c keep keep/sub keep/.wh.x swap swap/.wh..wh..opq swap/.wh.new top
	push layers "$DIR/base.tar.zst" "$DIR/upper.tar.gz" "$DIR/top.tar"
	wire slow 6000000
	F run -d --name stays "$R/layers:1" sh -c "$LOOK" >/dev/null
	served
	[ "$(F wait stays)" = 0 ]
	wire free
	until_ok whole
	F logs stays >"$DIR/early"
	F run --rm "$R/layers:1" sh -c "$LOOK" >"$DIR/late"
	diff "$DIR/early" "$DIR/late"
	grep -q "zz2/sparse 81a4 7:8 3000000" "$DIR/early"
	grep -qE "^./gone/c .* 7:8|^./gone/c .* 0:0" "$DIR/early"
	! grep -qE "^./(cut|gone/a|gone/b|keep/x|swap/old|swap/new) " "$DIR/early"
	! logs "pulled as a whole"
	! logs "cannot be served"
}

@test "a tar that is not sorted as it promised is found out, and the next pull is a whole one" {
	new_tree
	fill "$DIR/tree/zz" c
	pack >"$DIR/late.tar"
	echo late >"$DIR/tree/bin/late"
	tar -C "$DIR/tree" --numeric-owner -rf "$DIR/late.tar" ./bin/late
	gzip -1f "$DIR/late.tar"
	push late "$DIR/late.tar.gz"
	begin late
	wire free
	until_ok logs "cannot be served any longer.*'bin/late' stands where none was expected"
	all_fails late
	F pull -q "$R/late:1"
	until_ok whole
	[ "$(F run --rm "$R/late:1" cat /bin/late)" = late ]
}

@test "bytes with another digest are found out at the end" {
	local blob
	new_tree
	fill "$DIR/tree/zz" d
	pack >"$DIR/digest.tar"
	push digest "$DIR/digest.tar"
	blob=$DIR/reg/store/blobs/sha256/${DIGESTS#*:}
	printf wrong | dd of="$blob" bs=1 seek=$(($(stat -c %s "$blob") - 50000)) conv=notrunc status=none
	begin digest
	wire free
	until_ok logs "cannot be served any longer.*have the digest"
	all_fails digest
	run F pull -q "$R/digest:1"
	[ "$status" -ne 0 ]
	prints "digest"
	cp "$DIR/digest.tar" "$blob"
	F pull -q "$R/digest:1"
	F run --rm "$R/digest:1" true
}

@test "another diff id is found out at the end" {
	new_tree
	fill "$DIR/tree/zz" e
	pack | gzip -1 >"$DIR/diff.tar.gz"
	push diff "$DIR/diff.tar.gz" --false-diff
	begin diff
	wire free
	until_ok logs "its uncompressed bytes have diff id"
	all_fails diff
}

@test "a cut wire is an error for who waits, and the stream goes on where it was" {
	new_tree
	fill "$DIR/tree/zz" f
	(cd "$DIR/tree" && sha256sum zz/*) >"$DIR/want"
	pack | gzip -1 >"$DIR/cut.tar.gz"
	push cut "$DIR/cut.tar.gz"
	begin cut
	wire cut
	run F exec reads sha256sum zz/f6
	[ "$status" -ne 0 ]
	[[ "$output" =~ (I/O|Input/output)\ error ]]
	logs "a lazy layer cannot be read: input/output error"
	wire free
	[ "$(F exec reads sh -c 'cd / && sha256sum zz/*')" = "$(cat "$DIR/want")" ]
	until_ok whole
}

servers() { pgrep -f "role=lazy $DIR/f/"; }
paired() {
	local names
	names=$(servers | sed 's|.*|/proc/&/comm|' | xargs -r cat 2>/dev/null || true)
	[ -z "$names" ] || [[ "$names" == *lazy-serve* && "$names" == *lazy-stand-by* ]]
}

@test "kill -9 of the server's processes in the middle of the stream is repaired under a container that reads" {
	local i
	new_tree
	fill "$DIR/tree/zz" 1
	(cd "$DIR/tree" && sha256sum zz/*) >"$DIR/want"
	pack | gzip -1 >"$DIR/kills.tar.gz"
	push kills "$DIR/kills.tar.gz"
	begin kills
	wire slow 1500000
	F exec reads sh -c 'cd / && sha256sum zz/*' >"$DIR/got" 3>&- &
	local reader=$!
	for i in 1 2 3 4; do
		until_ok paired
		kill -9 "$(servers | sort -R | head -1)" 2>/dev/null || true
		sleep 0.1
	done
	wait "$reader"
	diff "$DIR/got" "$DIR/want"
	F exec reads test ! -e /bin/late
	wire free
	until_ok whole
	# both at once: it is served anew from the beginning
	F rm -f reads >/dev/null
	new_tree
	fill "$DIR/tree/zz" 2
	pack | gzip -1 >"$DIR/both.tar.gz"
	push both "$DIR/both.tar.gz"
	begin both
	kill -9 $(servers)
	until_ok logs "a lazy server is started again"
	wire free
	until_ok whole
	F run --rm "$R/both:1" cat /zz/f6 >/dev/null
}

@test "the engine is killed in the middle of the stream, and of a pull: nothing is lost, nothing left" {
	new_tree
	fill "$DIR/tree/zz" 3
	(cd "$DIR/tree" && sha256sum zz/*) >"$DIR/want"
	pack | gzip -1 >"$DIR/crash.tar.gz"
	push crash "$DIR/crash.tar.gz"
	begin crash
	engine_stop KILL f
	ENGINE_ARGS=(--lazy --lazy-early --lazy-wait 2)
	engine_start f "$(engine_pid)"
	until_ok state_is_running reads
	wire free
	[ "$(F exec reads sh -c 'cd / && sha256sum zz/*')" = "$(cat "$DIR/want")" ]
	until_ok whole
	F rm -f reads >/dev/null
	until_ok eval '[ -z "$(servers)" ]'
	# before anything of the layer came
	new_tree
	fill "$DIR/tree/zz" 4
	pack | gzip -1 >"$DIR/pulls.tar.gz"
	push pulls "$DIR/pulls.tar.gz"
	wire hold 40000
	F pull -q "$R/pulls:1" >/dev/null 2>&1 3>&- &
	local pull=$!
	until_ok eval '[ -n "$(servers)" ]'
	engine_stop KILL f
	wait "$pull" || true
	engine_start f "$(engine_pid)"
	until_ok eval '[ -z "$(servers)" ]'
	! in_engine grep -q "fuse.teu-lazy" /proc/self/mounts
	wire free
	F run --rm "$R/pulls:1" true
	until_ok whole
}

@test "a pull that is given up ends while it waits for the layer, and leaves nothing" {
	new_tree
	fill "$DIR/tree/zz" 5
	pack | gzip -1 >"$DIR/given.tar.gz"
	push given "$DIR/given.tar.gz"
	wire hold 40000
	run timeout 2 "$DOCKER" -H "unix://$DIR/f/docker.sock" pull -q "$R/given:1"
	[ "$status" -ne 0 ]
	until_ok eval '[ -z "$(servers)" ]'
	! in_engine grep -q "fuse.teu-lazy" /proc/self/mounts
	[ -z "$(F images -q)" ]
}

@test "what cannot be served while it comes is pulled as a whole, and the log says why" {
	new_tree
	fill "$DIR/tree/zz" 6
	pack | xz -0 >"$DIR/packed.tar.xz"
	mkdir -p "$DIR/tree/new/below"
	head -c 1500000 /dev/urandom >"$DIR/tree/new/below/file"
	tar -C "$DIR/tree" --no-recursion -cf "$DIR/implicit.tar" new/below/file
	push packed "$DIR/packed.tar.xz" "$DIR/implicit.tar"
	F run --rm "$R/packed:1" cat /new/below/file /zz/f6 >/dev/null
	whole
	logs "the layer is compressed with xz"
	logs "has no entry for the directory of 'new/below/file'"
	[ "$(grep -c "no lazy start: the layer is pulled as a whole" "$DIR/f/log")" = 2 ]
}

@test "it is asked for by name, and not without --lazy" {
	run "$TEU" engine --lazy-early --host "unix://$DIR/g/docker.sock"
	[ "$status" -ne 0 ]
	prints "--lazy-early needs --lazy"
	run "$TEU" --host "unix://$DIR/e/docker.sock" run --lazy-early busybox true
	[ "$status" -ne 0 ]
	prints "--lazy-early needs --lazy"
	new_tree
	fill "$DIR/tree/zz" 7
	pack | gzip -1 >"$DIR/asked.tar.gz"
	push asked "$DIR/asked.tar.gz"
	wire hold $ENOUGH
	"$TEU" --root "$DIR/e/root" --run "$DIR/e/run" --host "unix://$DIR/e/docker.sock" run --lazy --lazy-early --rm "$R/asked:1" echo early >"$DIR/out"
	grep -qx early "$DIR/out"
	[ -n "$(ls -A "$DIR/e/root/store/lazy")" ]
	wire free
	e_whole() { [ -z "$(ls -A "$DIR/e/root/store/lazy")" ]; }
	until_ok e_whole
}
