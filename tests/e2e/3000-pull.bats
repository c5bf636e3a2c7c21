#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images to and from a registry with the real docker command line and our own: pull, push, login, search, prune.

. "$BATS_TEST_DIRNAME/engine.bash"

R=127.0.0.1:5000

# The registry lives in the engine's network namespace, with state below $DIR/reg.
setup_file() {
	engine_setup_file
	[ -n "${DIR:-}" ] || return 0
	mkdir -p "$DIR/reg"
	nsenter "--net=/proc/$(engine_pid)/ns/net" "$TEU" --root "$DIR/reg" --run "$DIR/reg" registry --listen "$R" \
		--pid-file "$DIR/reg/pid" >"$DIR/reg/log" 2>&1 </dev/null 3>&- &
	until_ok test -s "$DIR/reg/pid"
	until_ok nsenter "--net=/proc/$(engine_pid)/ns/net" curl -sf "http://$R/v2/"
}
setup() { engine_setup; }
teardown_file() { engine_teardown_file; }

@test "what docker push sends comes back by docker pull, to the digest" {
	docker tag busybox "$R/a/busy:1"
	run docker push "$R/a/busy:1"
	[ "$status" -eq 0 ]
	prints "The push refers to repository [$R/a/busy]"
	prints "Pushed"
	[[ "$output" =~ 1:\ digest:\ (sha256:[0-9a-f]{64})\ size:\ [0-9]+ ]]
	local digest=${BASH_REMATCH[1]} id
	id=$(docker image inspect -f '{{.Id}}' busybox)
	[ "$(docker images --digests --format '{{.Digest}}' "$R/a/busy")" = "$digest" ]
	run docker push "$R/a/busy:1"
	prints "Layer already exists"
	docker rmi "$R/a/busy:1" >/dev/null
	docker rmi busybox >/dev/null
	[ -z "$(docker images -q)" ]
	run docker pull "$R/a/busy:1"
	[ "$status" -eq 0 ]
	prints "1: Pulling from a/busy"
	prints "Pull complete"
	prints "Digest: $digest"
	prints "Status: Downloaded newer image for $R/a/busy:1"
	[ "$(docker image inspect -f '{{.Id}}' "$R/a/busy:1")" = "$id" ]
	run docker pull "$R/a/busy:1"
	prints "Status: Image is up to date for $R/a/busy:1"
	docker tag "$R/a/busy:1" busybox
	run docker pull "$R/a/busy@$digest"
	[ "$status" -eq 0 ]
	[ "$(docker run --rm "$R/a/busy@$digest" echo from the registry)" = "from the registry" ]
}

@test "docker run pulls what is not there" {
	docker tag busybox "$R/b:latest"
	docker push -q "$R/b:latest"
	docker rmi "$R/b:latest" >/dev/null
	run docker run --rm "$R/b" echo it runs
	[ "$status" -eq 0 ]
	prints "Unable to find image '$R/b:latest' locally"
	prints "it runs"
	fails_with 125 "No such image" docker run --rm --pull never "$R/nothere" true
	fails_with 125 "manifest for $R/nothere:latest not found" docker run --rm "$R/nothere" true
}

@test "all tags go and come" {
	docker tag busybox "$R/c:1"
	docker tag busybox "$R/c:2"
	docker push -a "$R/c"
	docker rmi "$R/c:1" "$R/c:2" >/dev/null
	docker pull -a "$R/c"
	[ "$(docker images --format '{{.Tag}}' "$R/c" | sort | xargs)" = "1 2" ]
}

@test "what is not there is an error, and nothing stays" {
	fails_with 1 "manifest for $R/a/busy:none not found" docker pull "$R/a/busy:none"
	fails_with 1 "does not exist locally with the tag" docker push "$R/nosuch:1"
	fails_with 1 "127.0.0.1:1" docker pull 127.0.0.1:1/x
	fails_with 1 "only linux images run here" docker pull --platform windows/amd64 "$R/a/busy:1"
	[ -z "$(ls "$DIR/e/root/store/ingest")" ]
}

@test "login is checked by the registry, search reads its catalog" {
	run docker login -u me -p secret "$R"
	[ "$status" -eq 0 ]
	prints "Login Succeeded"
	docker logout "$R"
	run docker search --format '{{.Name}}' "$R/bus"
	[ "$output" = "$R/a/busy" ]
	fails_with 1 "searching Docker Hub is not supported" docker search busybox
	run api GET "/distribution/$R/a/busy:1/json"
	prints '"mediaType":"application/vnd.oci.image.manifest.v1+json"'
	prints '"os":"linux"'
	prints 200
}

@test "prune takes dangling images, with -a all that no container uses" {
	printf 'x' >"$DIR/x"
	tar -C "$DIR" -cf - x | docker import - "$R/d:1" >/dev/null
	printf 'yy' >"$DIR/x"
	tar -C "$DIR" -cf - x | docker import - "$R/d:1" >/dev/null
	run docker image prune -f
	prints "deleted: sha256:"
	prints "Total reclaimed space: 1B"
	docker image inspect "$R/d:1" >/dev/null
	docker create --name holds busybox true >/dev/null
	docker image prune -af --filter label=none >/dev/null
	docker image inspect "$R/d:1" >/dev/null
	run docker image prune -af
	prints "untagged: $R/d:1"
	docker image inspect busybox >/dev/null
	docker rm holds >/dev/null
	run docker system df
	prints "Images          1         0"
	fails_with 1 "invalid filter 'color'" docker image prune -f --filter color=red
}

@test "bad requests for a pull are refused before anything is asked" {
	run api POST "/images/create?fromImage=$R/a/busy&tag=1" -H 'X-Registry-Auth: !!!'
	prints "invalid X-Registry-Auth header"
	prints 400
	run api POST "/images/create"
	prints "neither fromImage nor fromSrc"
	run api POST "/images/create?fromImage=UPPER&tag=1"
	prints "must be lowercase"
	prints 400
}

teu() { DOCKER_CONFIG=$DIR/ours timeout 30 "$TEU" --root "$DIR/e/root" --run "$DIR/e/run" --host "unix://$DIR/e/docker.sock" "$@"; }

@test "our own command line pulls, pushes, searches and prunes as docker does" {
	teu tag busybox "$R/ours:1"
	run teu push "$R/ours:1"
	[ "$status" -eq 0 ]
	prints "The push refers to repository [$R/ours]"
	prints "1: digest: sha256:"
	teu rmi "$R/ours:1" >/dev/null
	run teu pull "$R/ours:1"
	[ "$status" -eq 0 ]
	prints "1: Pulling from ours"
	prints "Status: Downloaded newer image for $R/ours:1"
	[ "${lines[-1]}" = "$R/ours:1" ]
	[ "$(teu pull -q "$R/ours:1")" = "$R/ours:1" ]
	run teu search --format '{{.Name}}' "$R/our"
	[ "$output" = "$R/ours" ]
	fails_with 1 "cannot push a digest reference" teu push "$R/ours@sha256:$(printf '%064d' 0)"
	fails_with 1 "manifest for $R/ours:none not found" teu pull "$R/ours:none"
	fails_with 125 "content trust" teu pull --disable-content-trust "$R/ours:1"
	run teu image prune </dev/null
	prints "Are you sure"
	run teu image prune -f
	prints "Total reclaimed space: 0B"
}

@test "teu run pulls what is missing, always or never" {
	teu tag busybox "$R/fresh:1"
	teu push -q "$R/fresh:1" >/dev/null
	teu rmi "$R/fresh:1" >/dev/null
	fails_with 125 "No such image" teu run --rm --pull never "$R/fresh:1" true
	run teu run --rm "$R/fresh:1" echo it runs
	[ "$status" -eq 0 ]
	prints "Unable to find image '$R/fresh:1' locally"
	prints "it runs"
	run teu run --rm --pull always "$R/fresh:1" echo again
	prints "Image is up to date for $R/fresh:1"
	prints "again"
	run teu run --rm -q --pull always "$R/fresh:1" echo quiet
	[ "$output" = quiet ]
}

@test "login keeps credentials that the registry takes; a helper keeps them instead of the file" {
	run teu login -u me --password-stdin "$R" <<<secret
	[ "$status" -eq 0 ]
	prints "Login Succeeded"
	prints "stored unencrypted"
	[ "$(stat -c %a "$DIR/ours/config.json")" = 600 ]
	grep -q "$(printf me:secret | base64)" "$DIR/ours/config.json"
	teu pull -q "$R/ours:1"
	run teu logout "$R"
	prints "Removing login credentials for $R"
	run teu logout "$R"
	prints "Not logged in to $R"
	fails_with 1 "non TTY device" teu login "$R" </dev/null
	fails_with 1 "Must provide --username" teu login --password-stdin "$R" </dev/null
	mkdir -p "$DIR/bin"
	printf '#!/bin/sh\n[ "$1" != get ] || { cat "%s"; exit; }\ncat >"%s"\n' "$DIR/kept" "$DIR/kept" >"$DIR/bin/docker-credential-mine"
	chmod 755 "$DIR/bin/docker-credential-mine"
	printf '{"credHelpers":{"%s":"mine"}}' "$R" >"$DIR/ours/config.json"
	PATH=$DIR/bin:$PATH run teu login -u me --password-stdin "$R" <<<hidden
	[ "$status" -eq 0 ]
	grep -q '"Secret":"hidden"' "$DIR/kept"
	! grep -q hidden "$DIR/ours/config.json"
	PATH=$DIR/bin:$PATH teu pull -q "$R/ours:1"
	rm -r "$DIR/ours"
}

@test "a registry with users is pushed to and pulled from by those who logged in" {
	local s=127.0.0.1:5001
	mkdir -p "$DIR/reg2"
	printf '%s\n' 'me:$2b$05$/MvL4Ytk13PQl7IHT3SqUeTThzTvO26G532SwNIWb.tWr5.x2KDUK' >"$DIR/reg2/htpasswd" # secret
	nsenter "--net=/proc/$(engine_pid)/ns/net" "$TEU" --root "$DIR/reg2" --run "$DIR/reg2" registry --listen "$s" \
		--htpasswd "$DIR/reg2/htpasswd" --pid-file "$DIR/reg2/pid" >"$DIR/reg2/log" 2>&1 </dev/null 3>&- &
	until_ok test -s "$DIR/reg2/pid"
	docker tag busybox "$s/p:1"
	fails_with 1 "the registry answers 401" docker push "$s/p:1"
	fails_with 1 "the name or the password is wrong" docker login -u me --password-stdin "$s" <<<wrong
	docker login -u me --password-stdin "$s" <<<secret
	docker push -q "$s/p:1"
	docker rmi "$s/p:1" >/dev/null
	docker pull -q "$s/p:1"
	docker logout "$s"
	fails_with 1 "pull access denied for $s/p" docker pull "$s/p:1"
	teu login -u me --password-stdin "$s" <<<secret
	teu pull -q "$s/p:1"
	rm -r "$DIR/ours"
}

@test "at a terminal every layer has a line with a bar; elsewhere lines follow each other" {
	local n
	head -c 6000000 /dev/urandom >"$DIR/x"
	tar -C "$DIR" -cf - x | docker import - "$R/bars:1" >/dev/null
	docker push -q "$R/bars:1"
	for n in docker "$TEU --host unix://$DIR/e/docker.sock"; do
		docker rmi "$R/bars:1" >/dev/null
		run timeout 30 script -qec "stty cols 150; ${n/#docker/$DOCKER} pull $R/bars:1" /dev/null
		[ "$status" -eq 0 ]
		# the cursor goes up to a layer's line, which is written again
		[[ "$output" =~ $'\e['[0-9]*A ]]
		[[ "$output" =~ [0-9a-f]{12}:\ (Downloading|Extracting)\ +\[=*\>\ *\] ]]
		prints "Pull complete"
		docker rmi "$R/bars:1" >/dev/null
		run $n pull "$R/bars:1" </dev/null
		[[ "$output" != *$'\e'* ]]
		[[ "$output" != *"[="* ]]
		prints "Pull complete"
	done
	docker rmi "$R/bars:1" >/dev/null
}
