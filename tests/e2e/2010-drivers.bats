#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Storage drivers: the same life with each of them, and nothing left behind; the choice, and what is refused.

load engine.bash

setup_file() {
	[ "$(id -u)" = 0 ] && [ -x "$TEU" ] && [ -x "$DOCKER" ] || return 0
	DIR=$(mktemp -d /tmp/teu-e2e-XXXXXX)
	export DIR DOCKER_CONFIG=$DIR/client
	mkdir -p "$DIR/client"
}
teardown_file() { engine_teardown_file; }
setup() { engine_setup; }

# begin NAME DRIVER [BEFORE]
begin() {
	ENGINE_ARGS=(--no-bridge)
	[ -z "$2" ] || ENGINE_ARGS+=(--storage-driver "$2")
	ENGINE_BEFORE=${3:-} engine_start "$1"
	export DOCKER_HOST=unix://$DIR/$1/docker.sock
}

# again NAME DRIVER PID: in the namespaces of PID
again() {
	ENGINE_ARGS=(--no-bridge --storage-driver "$2")
	engine_start "$1" "$3"
}

inside() { nsenter "--mount=/proc/$1/ns/mnt" "${@:2}"; }
no_fuse() { ! pgrep -f "fuse-overlayfs .*$DIR/$1/" >/dev/null; }
no_container_dirs() { [ -z "$(inside "$2" ls "$DIR/$1/root/containers")" ]; }

# life NAME DRIVER DOCKER-NAME: run, write, remove, commit, diff, export, restart of the engine, removal.
life() {
	local keep mounts pid
	# holds the namespaces over the restart of the engine
	pid=$(engine_pid "$1")
	nsenter "--net=/proc/$pid/ns/net" "--mount=/proc/$pid/ns/mnt" sleep 300 3>&- &
	keep=$!
	until_ok inside "$keep" test -d "$DIR/$1/root"
	mounts=$(inside "$keep" cat /proc/self/mounts | wc -l)
	docker import "$("$TOP/tools/image" busybox)" busybox >/dev/null
	[ "$(docker info -f '{{.Driver}}')" = "$3" ]
	[[ "$(docker info -f '{{json .DriverStatus}}')" == *"Chosen because"* ]]
	docker run --name one --network none busybox sh -c 'rm /etc/passwd; rm -r /home; mkdir /home; echo h >/home/h; echo new >/added; ln /added /hard; chmod 4755 /added'
	[ "$(docker inspect -f '{{.GraphDriver.Name}}' one)" = "$3" ]
	[ "$(docker diff one | sort | tr '\n' ' ')" = "$DIFF" ]
	docker commit one two >/dev/null
	[ "$(docker image inspect -f '{{len .RootFS.Layers}}' two)" = 2 ]
	run docker run --rm --network none two sh -c 'ls /home; cat /hard; stat -c "%a %h" /added; ls /etc/passwd'
	[ "${lines[0]}" = h ] && [ "${lines[1]}" = new ] && [ "${lines[2]}" = "4755 2" ] && prints "No such file"
	docker export one | tar -t | grep -qx hard
	docker run -d --name three --network none two sh -c 'trap exit TERM; while :; do sleep 0.1; done' >/dev/null
	docker exec three sh -c 'echo kept >/kept'
	engine_stop KILL "$1"
	again "$1" "$2" "$keep"
	[ "$(docker exec three cat /kept)" = kept ]
	docker stop -t 5 three >/dev/null
	docker start three >/dev/null
	[ "$(docker exec three cat /kept)" = kept ]
	docker rm -f three one >/dev/null
	until_ok no_container_dirs "$1" "$keep"
	until_ok no_fuse "$1"
	docker rmi two busybox >/dev/null
	docker system df >/dev/null
	[ -z "$(inside "$keep" ls "$DIR/$1/root/store/snapshots")" ]
	[ "$(inside "$keep" cat /proc/self/mounts | wc -l)" = "$mounts" ]
	[ -z "${LEFT:-}" ] || inside "$keep" sh -c "$LEFT"
	engine_stop TERM "$1"
	kill "$keep"
}
# of life's first container
DIFF="A /added A /hard A /home/h C /etc C /home D /etc/passwd "

@test "overlay: a container's life, and nothing left" {
	begin overlay overlay
	life overlay overlay overlay2
}

@test "copy: a container's life, and nothing left" {
	begin copy vfs
	life copy copy vfs
}

@test "btrfs: a container's life, and nothing left" {
	command -v mkfs.btrfs >/dev/null && grep -qw btrfs /proc/filesystems || skip "no mkfs.btrfs, or no btrfs in the kernel"
	truncate -s 300M "$DIR/btrfs.img"
	mkfs.btrfs -q "$DIR/btrfs.img" 2>/dev/null
	mkdir -p "$DIR/btrfs/root"
	begin btrfs btrfs "mount -o loop $DIR/btrfs.img $DIR/btrfs/root"
	LEFT="! btrfs subvolume list $DIR/btrfs/root | grep ." life btrfs btrfs btrfs
}

@test "fuse-overlayfs: a container's life, and nothing left" {
	command -v fuse-overlayfs >/dev/null && [ -e /dev/fuse ] || skip "no fuse-overlayfs, or no /dev/fuse"
	begin fuse fuse-overlayfs
	life fuse fuse-overlayfs fuse-overlayfs
}

@test "auto takes what works, and says why" {
	mkdir -p "$DIR/auto"
	begin auto ""
	[ "$(docker info -f '{{.Driver}}')" = overlay2 ]
	[[ "$("$TEU" --host "$DOCKER_HOST" info)" == *"Chosen because: overlay was tried and works"* ]]
	engine_stop TERM auto
	# no upper directory of an overlay can lie on an overlay
	mkdir -p "$DIR/nested/root" "$DIR/up" "$DIR/work"
	begin nested "" "mount -t overlay overlay -o lowerdir=$TOP/tests,upperdir=$DIR/up,workdir=$DIR/work $DIR/nested/root"
	[[ "$(docker info -f '{{.Driver}}')" == vfs || "$(docker info -f '{{.Driver}}')" == fuse-overlayfs ]]
	[[ "$(docker info -f '{{json .DriverStatus}}')" == *"overlay does not work"* ]]
	docker import "$("$TOP/tools/image" busybox)" busybox >/dev/null
	[ "$(docker run --rm --network none busybox echo hi)" = hi ]
	engine_stop TERM nested
}

refused() {
	local code=$1 words=$2
	shift 2
	fails_with "$code" "$words" timeout 20 unshare -nm "$TEU" --root "$DIR/$1/root" --run "$DIR/$1/run" engine --no-bridge \
		--host "unix://$DIR/$1/docker.sock" --storage-driver "$2"
}

@test "a store keeps its driver, and others are refused by name" {
	mkdir -p "$DIR/owned"
	begin owned copy
	docker import "$("$TOP/tools/image" busybox)" busybox >/dev/null
	engine_stop TERM owned
	refused 1 "were unpacked with storage driver 'copy'; go on with --storage-driver copy" owned overlay
	refused 1 "storage driver 'aufs' is not supported: its file system is not in Linux; use overlay" owned aufs
	refused 1 "storage driver 'devicemapper' is not supported" owned devicemapper
	refused 1 "storage driver 'zfs' is not supported" owned zfs
	refused 1 "unknown storage driver 'x'" owned x
	refused 1 "is not on a btrfs file system" fresh btrfs
	begin owned ""
	[ "$(docker info -f '{{.Driver}}')" = vfs ]
	docker rmi busybox >/dev/null
	engine_stop TERM owned
	begin owned overlay # nothing of copy's is left
	[ "$(docker info -f '{{.Driver}}')" = overlay2 ]
	engine_stop TERM owned
}
