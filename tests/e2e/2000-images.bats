#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images: import and load of what docker, skopeo and hands make, and what a container then sees of them.

load engine.bash

setup_file() {
	engine_setup_file
	[ -n "${DIR:-}" ] || return 0
	ROOTFS=$("$TOP/tools/image" busybox)
	export ROOTFS
	python3 "$TOP/tests/tools/mkimage.py" "$ROOTFS" "$DIR" layers attributes sixty oci index
}

teardown_file() { engine_teardown_file; }
setup() { engine_setup; }

teardown() {
	remove_all
	[ -z "${DIR:-}" ] || docker images -q --no-trunc | sort -u | grep -v "$(docker images -q --no-trunc busybox)" | xargs -r "$DOCKER" rmi -f >/dev/null 2>&1 || true
}

diff_ids() { docker image inspect -f '{{json .RootFS.Layers}}' "$1"; }
id_of() { docker image inspect -f '{{.Id}}' "$1"; }

@test "import of one archive plain, by gzip, by zstd and from stdin is one layer" {
	gzip -c "$ROOTFS" >"$DIR/r.gz"
	zstd -qc "$ROOTFS" >"$DIR/r.zst"
	docker import "$DIR/r.gz" im:gzip
	docker import "$DIR/r.zst" im:zstd
	docker import - im:stdin <"$ROOTFS"
	local t
	for t in gzip zstd stdin; do
		[ "$(diff_ids im:$t)" = "[\"sha256:$(sha256sum <"$ROOTFS" | cut -d' ' -f1)\"]" ]
		[ "$(docker run --rm "im:$t" sh -c 'echo runs')" = runs ]
	done
}

@test "import --change, --message and --platform are the image's" {
	docker import -m "by a test" --platform linux/arm64/v8 -c 'CMD ["sh", "-c", "echo $WHO; pwd; id -u"]' -c 'ENV WHO=changed B="two words"' \
		-c 'WORKDIR /tmp' -c 'USER user' -c 'LABEL a=b c=d' -c 'EXPOSE 80/tcp 53/udp' -c 'STOPSIGNAL SIGUSR1' "$ROOTFS" changed:1
	run docker image inspect -f '{{.Architecture}}/{{.Variant}} {{.Comment}} {{.Config.Labels}} {{.Config.ExposedPorts}} {{.Config.StopSignal}} {{index .Config.Env 1}}' changed:1
	[ "$output" = "arm64/v8 by a test map[a:b c:d] map[53/udp:{} 80/tcp:{}] SIGUSR1 B=two words" ]
	[ "$(docker run --rm changed:1 2>/dev/null | tr '\n' ' ')" = "changed /tmp 1000 " ]
	docker import -c 'ENTRYPOINT ["echo", "first"]' -c 'CMD ["second"]' "$ROOTFS" changed:2
	[ "$(docker run --rm changed:2)" = "first second" ]
	[ "$(docker run --rm changed:2 other)" = "first other" ]
	[ "$(docker run --rm --entrypoint pwd changed:2)" = / ]
	[ "$(docker image inspect -f '{{.Comment}}' changed:2)" = "Imported from -" ]
	fails_with 1 "is not a valid change command" docker import -c 'RUN true' "$ROOTFS" changed:3
	fails_with 1 "only linux images" docker import --platform windows/amd64 "$ROOTFS" changed:3
	fails_with 1 "No such image: changed:3" docker image inspect changed:3
}

@test "layers: whiteouts, opaque directories and replaced kinds are seen as the archive means" {
	run docker load -i "$DIR/layers.tar"
	[ "$output" = "Loaded image: layers:one
Loaded image: layers:two" ]
	run docker run --rm layers:one sh -c 'find /d /op /swap /back | sort; cat /d/gone /d/changed; echo; ls -d /tree /link 2>/dev/null; stat -c "%a %u %g" /d /d/changed'
	[ "$output" = "/back
/back/young
/d
/d/changed
/d/gone
/d/kept
/op
/op/new
/swap
/swap/in
againtwo
750 7 8
600 0 0" ]
	# and a container may bring back what a layer took away
	run docker run --rm layers:one sh -c 'mkdir /tree && ls -a /tree; rm -r /op && mkdir /op && ls /op; rm /d/kept; ls /d'
	[ "$(echo $output)" = ". .. changed gone" ]
}

@test "owners, modes, times, links, special files and attributes are kept" {
	docker load -q -i "$DIR/attributes.tar"
	run docker run --rm attributes sh -c 'cd /a; stat -c "%n %a %u %g %F" setuid setgid sticky secret fifo null; stat -c "%n %Y" old fraction; readlink dangling;
		[ "$(stat -c %i one)" = "$(stat -c %i two)" ] && stat -c %h one; cat */mmm* ä*中*'
	[ "$output" = "setuid 4755 1000 2000 regular file
setgid 2711 123456 65534 regular file
sticky 1777 0 0 directory
secret 0 1000 0 regular file
fifo 644 0 0 fifo
null 666 0 0 character special file
old 86400
fraction 1600000000
/no/where
2
longodd name" ] || { echo "$output"; return 1; }
	# the store holds the attributes; a file capability works for an unprivileged user
	local layer
	layer=$(docker image inspect -f '{{.GraphDriver.Data.UpperDir}}' attributes)
	local ns="nsenter --mount=/proc/$(engine_pid)/ns/mnt"
	$ns python3 -c 'import os,sys; assert os.getxattr(sys.argv[1] + "/a/user-attr", "user.colour") == b"blue"; assert len(os.getxattr(sys.argv[1] + "/capped/grep", "security.capability")) == 20' "$layer"
	docker run --rm --user 1000 attributes /capped/grep -q '^CapEff:.*2000$' /proc/self/status
	docker run --rm --user 1000 attributes /bin/grep -q '^CapEff:.*0000$' /proc/self/status
}

@test "an image of sixty layers loads and runs" {
	docker load -q -i "$DIR/sixty.tar"
	[ "$(docker history -q sixty | wc -l)" = 60 ]
	run docker run --rm sixty sh -c 'cat /last; echo; ls -d /n*'
	[ "$(echo $output)" = "58 /n57 /n58" ]
}

@test "an OCI layout: named, unnamed, and an index by platform" {
	run docker load -i "$DIR/oci.tar"
	[ "${lines[0]}" = "Loaded image: oci:named" ]
	[[ "${lines[1]}" == "Loaded image ID: sha256:"* ]]
	[ "$(docker run --rm "${lines[1]##* }" cat /from)" = unnamed ]
	[ "$(docker run --rm oci:named cat /from)" = oci ]
	[ "$(docker images -q --filter dangling=true | wc -l)" = 1 ]
	docker load -q -i "$DIR/index.tar"
	[ "$(docker run --rm example.com/team/multi:1 cat /arch)" = amd64 ]
	docker rmi example.com/team/multi:1
	docker load -q --platform linux/arm64 -i "$DIR/index.tar"
	[ "$(docker image inspect -f '{{.Architecture}}' example.com/team/multi:1)" = arm64 ]
}

@test "archives by skopeo: docker-archive and oci-archive, from our own layers" {
	command -v skopeo >/dev/null || skip "needs skopeo"
	local s="skopeo --insecure-policy --tmpdir $DIR copy -q"
	mkdir "$DIR/layout" && tar -xf "$DIR/oci.tar" -C "$DIR/layout"
	python3 - "$DIR/layout/index.json" <<-'PY'
	import json, sys
	d = json.load(open(sys.argv[1]))
	d["manifests"] = d["manifests"][:1]
	json.dump(d, open(sys.argv[1], "w"))
	PY
	$s "oci:$DIR/layout" "docker-archive:$DIR/s1.tar:by/skopeo:docker"
	$s "oci:$DIR/layout" "oci-archive:$DIR/s2.tar:by/skopeo:oci"
	$s "docker-archive:$DIR/layers.tar" "oci-archive:$DIR/s3.tar:by/skopeo:layers"
	[ "$(docker load -i "$DIR/s1.tar")" = "Loaded image: by/skopeo:docker" ]
	[ "$(docker load -i "$DIR/s2.tar")" = "Loaded image: by/skopeo:oci" ]
	docker load -q -i "$DIR/s3.tar"
	[ "$(docker run --rm by/skopeo:docker cat /from)" = oci ]
	[ "$(docker run --rm by/skopeo:oci cat /from)" = oci ]
	[ "$(id_of by/skopeo:docker)" = "$(id_of by/skopeo:oci)" ]
	[ "$(docker run --rm by/skopeo:layers cat /d/changed)" = two ]
}

@test "a second load changes nothing, and shared layers are stored once" {
	docker load -q -i "$DIR/layers.tar"
	local before after all='{{.ID}} {{.Repository}}:{{.Tag}} {{.Digest}} {{.Size}}' # not how long ago
	before=$(docker images --format "$all"; find "$DIR/e/root/store" -type f | wc -l)
	docker load -q -i "$DIR/layers.tar"
	after=$(docker images --format "$all"; find "$DIR/e/root/store" -type f | wc -l)
	[ "$before" = "$after" ]
	[ "$(docker image inspect -f '{{index .RootFS.Layers 0}}' layers:one)" = "$(docker image inspect -f '{{index .RootFS.Layers 0}}' busybox)" ]
	docker rmi layers:one layers:two
	[ "$(docker run --rm busybox echo still)" = still ]
}

@test "an image is found by name, id, short id and digest" {
	docker load -q -i "$DIR/layers.tar"
	local id
	id=$(id_of layers:one)
	[ "$(docker run --rm "$id" cat /d/changed)" = two ]
	[ "$(docker run --rm "${id#sha256:}" cat /d/changed)" = two ]
	[ "$(docker run --rm "${id:7:12}" cat /d/changed)" = two ]
	[ "$(docker run --rm docker.io/library/layers:one cat /d/changed)" = two ]
	docker create --name by-short "${id:7:12}"
	[ "$(docker inspect -f '{{.Image}} {{.Config.Image}}' by-short)" = "$id ${id:7:12}" ]
	fails_with 125 "" docker run --rm "sha256:$(printf '0%.0s' {1..64})" true
	fails_with 1 "No such image" docker image inspect layers:three
	fails_with 1 "invalid reference format" docker tag layers:one 'Not/Lower'
}

@test "list: filters, digests and sizes; history tells every step" {
	docker load -q -i "$DIR/layers.tar"
	[ "$(docker images -q layers | wc -l)" = 2 ]
	[ "$(docker images --filter reference='layers:t*' --format '{{.Tag}}')" = two ]
	[ "$(docker images --filter before=busybox --format '{{.Repository}}:{{.Tag}}' | sort | tr '\n' ' ')" = "layers:one layers:two " ]
	[ "$(docker images --filter since=layers:one --format '{{.Repository}}')" = busybox ]
	[ -z "$(docker images -q --filter dangling=true)" ]
	[ "$(docker history --format '{{.CreatedBy}}' layers:one | tr '\n' ' ')" = "step 3 step 2 step 1 step 0 " ]
	[ "$(docker image inspect -f '{{len .RootFS.Layers}} {{.Created}}' layers:one)" = "4 2026-01-02T03:04:05Z" ]
	fails_with 1 "invalid filter 'nonsense'" docker images --filter nonsense=1
}

@test "rmi: names go first, what is in use stays, force is told apart" {
	docker load -q -i "$DIR/layers.tar"
	local id
	id=$(id_of layers:one)
	docker tag layers:one elsewhere:here
	[ "$(docker rmi elsewhere:here)" = "Untagged: elsewhere:here" ]
	docker tag layers:one elsewhere:here
	fails_with 1 "must be forced" docker rmi "$id"
	docker rmi elsewhere:here layers:two
	docker create --name holder layers:one true
	fails_with 1 "must be forced" docker rmi layers:one
	fails_with 1 "must be forced" docker rmi "$id"
	run api DELETE "/v1.47/images/layers:one"
	prints "
409"
	docker rmi -f layers:one
	run docker ps -a --format '{{.Names}}'
	prints holder
	docker rm holder
	docker load -q -i "$DIR/layers.tar"
	docker run -d --name user layers:one sleep 100
	fails_with 1 "cannot be forced" docker rmi -f "$id"
	docker exec user cat /d/kept
	docker rm -f user
	run docker rmi -f "$id"
	prints "Deleted: $id"
	fails_with 1 "No such image" docker image inspect "$id"
}

@test "what images leave behind goes with them" {
	until_ok sh -c "! ls -A '$DIR/e/root/store/ingest' | grep -q ."
	local before
	before=$(ls "$DIR"/e/root/store/* | sort)
	docker load -q -i "$DIR/sixty.tar"
	docker rmi sixty
	same() { [ "$(ls "$DIR"/e/root/store/* | sort)" = "$before" ]; }
	until_ok same
}
