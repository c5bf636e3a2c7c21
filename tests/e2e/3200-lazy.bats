#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Lazy start: containers that run before their layers are here, from a registry behind a wire that can be slow or cut.

. "$BATS_TEST_DIRNAME/engine.bash"

R=127.0.0.1:5001
ENOUGH=4500000

in_engine() { nsenter "--net=/proc/$(engine_pid)/ns/net" "--mount=/proc/$(engine_pid)/ns/mnt" "$@"; }

# What the wire does: free, slow BYTES, hold BYTES, cut.
wire() {
	echo "$*" >"$DIR/wire.new"
	mv "$DIR/wire.new" "$DIR/wire"
}

# The registry at port 5000, the wire to it at 5001; the image has 16 MB in 8 files that do not compress well,
# behind all that a container needs to start (what it reads first comes first: what nobody waits for is fetched from there on): ENOUGH bytes of the wire bring that, and not the last of the files.
setup_file() {
	local i
	ENGINE_ARGS=(--lazy --lazy-wait 2)
	engine_setup_file
	[ -n "${DIR:-}" ] || return 0
	wire free
	in_engine "$TEU" --root "$DIR/reg" --run "$DIR/reg" registry --listen 127.0.0.1:5000 --pid-file "$DIR/reg-pid" \
		>"$DIR/reg-log" 2>&1 </dev/null 3>&- &
	# Its pid is one in the engine's namespaces that outlives the engine.
	nsenter "--net=/proc/$(engine_pid)/ns/net" "--mount=/proc/$(engine_pid)/ns/mnt" python3 "$TOP/tests/tools/lazy-wire.py" \
		"$R" 127.0.0.1:5000 "$DIR/wire" >"$DIR/wire-log" 2>&1 </dev/null 3>&- &
	echo $! >"$DIR/wire-pid"
	until_ok in_engine curl -sf "http://$R/v2/"
	mkdir -p "$DIR/tree/big"
	tar -C "$DIR/tree" -xf "$("$TOP/tools/image" busybox)"
	for i in 1 2 3 4 5 6 7 8; do
		openssl enc -aes-128-ctr -K "0000000000000000000000000000000$i" -iv 0 -in /dev/zero 2>/dev/null | head -c 1500000 | base64 >"$DIR/tree/big/f$i"
	done
	(cd "$DIR/tree" && sha256sum big/*) >"$DIR/want"
	(cd "$DIR/tree" && tar -cz etc $(ls | grep -vE "^(big|etc)$") big) | docker import - "$R/app:1" >/dev/null
	docker push -q "$R/app:1"
	docker rmi "$R/app:1" >/dev/null
	docker pull -q "$R/app:1" # the index is made here
}

setup() { engine_setup; }
teardown() {
	remove_all
	wire free
}
teardown_file() { engine_teardown_file; }

served() { [ -n "$(ls -A "$DIR/e/root/store/lazy")" ]; }
whole() { ! served; }
begin() {
	docker rmi "$R/app:1" >/dev/null
	wire "$@"
	docker pull -q "$R/app:1" >/dev/null
	served
}

@test "a container runs before its layer is here, and the layer becomes a usual one" {
	docker info | grep -q "Lazy start: every pull"
	begin hold $ENOUGH
	run docker run --rm "$R/app:1" sh -c 'echo it runs; stat -c %a:%u /tmp; ls /big | wc -l'
	[ "$status" -eq 0 ]
	prints "it runs"
	prints "1777:0"
	prints "8"
	served
	in_engine grep -q fuse.teu-lazy /proc/self/mounts
	docker inspect "$R/app:1" >/dev/null
	run docker save -o "$DIR/saved" "$R/app:1"
	[ "$status" -ne 0 ]
	prints "is still on its way from $R/app (lazy start)"
	docker push "$R/app:1" >"$DIR/push" 2>&1 3>&- &
	local push=$!
	until_ok grep -q "is still on its way from $R/app (lazy start)" "$DIR/push"
	docker run -d --name stays "$R/app:1" sh -c 'sleep 1000' >/dev/null
	wire free
	until_ok whole
	wait "$push"
	docker save -o "$DIR/saved" "$R/app:1"
	! in_engine grep -q fuse.teu-lazy /proc/self/mounts
	[ "$(docker exec stays sha256sum big/f1 big/f2 big/f3 big/f4 big/f5 big/f6 big/f7 big/f8)" = "$(cat "$DIR/want")" ]
	[ "$(docker run --rm "$R/app:1" sha256sum big/f1 big/f2 big/f3 big/f4 big/f5 big/f6 big/f7 big/f8)" = "$(cat "$DIR/want")" ]
}

servers() { pgrep -f "role=lazy $DIR/e/"; }
# Both of the pair are there, or none is needed any more.
paired() {
	local names
	names=$(servers | sed 's|.*|/proc/&/comm|' | xargs -r cat 2>/dev/null || true)
	[ -z "$names" ] || [[ "$names" == *lazy-serve* && "$names" == *lazy-stand-by* ]]
}

@test "kill -9 of the server's processes is repaired under a container that reads" {
	local i
	begin slow 7000000
	docker run -d --name reads "$R/app:1" sh -c 'sha256sum big/f1 big/f2 big/f3 big/f4 big/f5 big/f6 big/f7 big/f8' >/dev/null
	for i in 1 2 3 4; do
		until_ok paired
		kill -9 "$(servers | sort -R | head -1)" 2>/dev/null || true
		sleep 0.1
	done
	[ "$(docker wait reads)" = 0 ]
	[ "$(docker logs reads)" = "$(cat "$DIR/want")" ]
	wire free
	until_ok whole
}

@test "the engine is killed and comes back while a layer is served" {
	begin hold $ENOUGH
	docker run -d --name reads "$R/app:1" sh -c 'cat big/f2 >/dev/null && sha256sum big/f1 && sleep 1000' >/dev/null
	engine_stop KILL
	wire slow 8000000
	ENGINE_ARGS=(--lazy --lazy-wait 2)
	engine_start e "$(cat "$DIR/wire-pid")"
	until_ok state_is reads running
	logs_say() { [ "$(docker logs reads)" = "$(head -1 "$DIR/want")" ]; }
	until_ok logs_say
	wire free
	until_ok whole
	docker run --rm "$R/app:1" true
	docker exec reads sha256sum big/f8 | grep -qxF "$(tail -1 "$DIR/want")"
}

# The registry behind another port of people with passwords; the wire leads there meanwhile.
@test "a server that is made anew has its credentials, and nothing keeps them longer" {
	local P=127.0.0.1:5003
	printf '%s\n' 'me:$2b$05$/MvL4Ytk13PQl7IHT3SqUeTThzTvO26G532SwNIWb.tWr5.x2KDUK' >"$DIR/htpasswd" # secret
	in_engine "$TEU" --root "$DIR/priv" --run "$DIR/priv" registry --listen 127.0.0.1:5002 --htpasswd "$DIR/htpasswd" \
		--pid-file "$DIR/priv-pid" >"$DIR/priv-log" 2>&1 </dev/null 3>&- &
	nsenter "--net=/proc/$(engine_pid)/ns/net" "--mount=/proc/$(engine_pid)/ns/mnt" python3 "$TOP/tests/tools/lazy-wire.py" \
		"$P" 127.0.0.1:5002 "$DIR/wire" >"$DIR/priv-wire-log" 2>&1 </dev/null 3>&- &
	local w=$!
	until_ok in_engine curl -s "http://$P/v2/"
	docker login -u me -p secret "$P"
	docker tag "$R/app:1" "$P/app:1"
	docker push -q "$P/app:1"
	docker rmi "$P/app:1" "$R/app:1" >/dev/null
	wire hold $ENOUGH
	docker pull -q "$P/app:1"
	served
	local auth
	auth=$(echo "$DIR"/e/root/store/lazy/*/auth)
	[ "$(stat -c %a:%u "$auth")" = 600:0 ]
	docker logout "$P"
	kill -9 $(servers)
	until_ok grep -q "a lazy server is started again" "$DIR/e/log"
	until_ok paired
	wire free
	until_ok whole
	[ ! -e "$auth" ]
	! grep -rqs secret "$DIR/e/root/store"
	[ "$(docker run --rm "$P/app:1" sha256sum big/f8)" = "$(tail -1 "$DIR/want")" ]
	docker rmi "$P/app:1" >/dev/null
	docker pull -q "$R/app:1"
	until_ok whole # or its end takes the next test's bytes
	kill "$w" "$(cat "$DIR/priv-pid")"
}

@test "without its registry a read fails by name, and goes on when it is back" {
	begin hold $ENOUGH
	docker run -d --name reads "$R/app:1" sleep 1000 >/dev/null
	wire cut
	run docker exec reads sha256sum big/f8
	[ "$status" -ne 0 ]
	[[ "$output" =~ (I/O|Input/output)\ error ]]
	grep -q "a lazy layer cannot be read: input/output error" "$DIR/e/log"
	wire free
	[ "$(docker exec reads sha256sum big/f8)" = "$(tail -1 "$DIR/want")" ]
	until_ok whole
}

@test "an index goes along with a push, and another machine that trusts it starts by it" {
	local other="unix://$DIR/f/docker.sock"
	docker push -q "$R/app:1"
	in_engine curl -sf "http://$R/v2/app/referrers/$(docker image inspect -f '{{index .RepoDigests 0}}' "$R/app:1" | cut -d@ -f2)" |
		grep -q application/vnd.teu.layer.indexes.v1
	ENGINE_ARGS=(--lazy --lazy-trust)
	engine_start f "$(cat "$DIR/wire-pid")"
	wire hold $ENOUGH
	docker -H "$other" pull -q "$R/app:1"
	[ -n "$(ls -A "$DIR/f/root/store/lazy")" ]
	[ "$(docker -H "$other" run --rm "$R/app:1" echo elsewhere)" = elsewhere ]
	wire free
	f_whole() { [ -z "$(ls -A "$DIR/f/root/store/lazy")" ]; }
	until_ok f_whole
	[ "$(docker -H "$other" run --rm "$R/app:1" sha256sum big/f1 big/f2 big/f3 big/f4 big/f5 big/f6 big/f7 big/f8)" = "$(cat "$DIR/want")" ]
}

@test "pull and run ask for it where the engine does not" {
	engine_stop TERM
	ENGINE_ARGS=()
	engine_start e "$(cat "$DIR/wire-pid")"
	docker info | grep -q "Lazy start: pulls that ask for it"
	docker rmi "$R/app:1" >/dev/null
	wire hold $ENOUGH
	"$TEU" --root "$DIR/e/root" --run "$DIR/e/run" --host "unix://$DIR/e/docker.sock" run --lazy --rm "$R/app:1" echo early >"$DIR/out"
	grep -qx early "$DIR/out"
	served
	wire free
	until_ok whole
	docker rmi "$R/app:1" >/dev/null
	docker pull -q "$R/app:1"
	whole
}

@test "with another storage driver lazy start is refused by name" {
	local words="lazy start needs the storage driver 'overlay'"
	engine_stop TERM
	run timeout 20 nsenter "--net=/proc/$(cat "$DIR/wire-pid")/ns/net" "--mount=/proc/$(cat "$DIR/wire-pid")/ns/mnt" "$TEU" --root "$DIR/g/root" \
		--run "$DIR/g/run" engine --lazy --storage-driver copy --host "unix://$DIR/g/docker.sock"
	[ "$status" -ne 0 ]
	prints "$words"
	ENGINE_ARGS=(--storage-driver copy)
	engine_start g "$(cat "$DIR/wire-pid")"
	"$TEU" --root "$DIR/g/root" --run "$DIR/g/run" --host "unix://$DIR/g/docker.sock" pull --lazy "$R/app:1" >/dev/null
	grep -q "no lazy start: the image is pulled as a whole.*$words" "$DIR/g/log"
	[ "$(docker -H "unix://$DIR/g/docker.sock" run --rm "$R/app:1" echo copied)" = copied ]
}
