#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# docker run through the engine: exit codes, streams, environment, limits, mounts, refusals.

load engine.bash
setup_file() { engine_setup_file; }
teardown_file() { engine_teardown_file; }
setup() { engine_setup; }

@test "version and info tell who we are" {
	run docker version --format '{{.Server.APIVersion}} {{.Server.MinAPIVersion}} {{.Server.Os}}'
	[ "$output" = "1.50 1.24 linux" ]
	run docker info --format '{{.Driver}} {{.Swarm.LocalNodeState}} {{.Images}} {{.DockerRootDir}}'
	[ "$output" = "overlay2 inactive 1 $DIR/e/root" ]
}

@test "run --rm gives the program's exit code and output, and leaves no container" {
	run docker run --rm busybox sh -c 'echo out; echo err >&2; exit 7'
	[ "$status" -eq 7 ]
	prints out
	prints err
	[ -z "$(docker ps -aq)" ]
}

@test "stdout and stderr come apart" {
	[ "$(docker run --rm busybox sh -c 'echo out; echo err >&2' 2>/dev/null)" = out ]
	[ "$(docker run --rm busybox sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)" = err ]
}

@test "a program that is not there is 127, one that cannot be run 126, a bad request 125" {
	fails_with 127 'executable file not found in $PATH' docker run --rm busybox nosuch
	fails_with 126 "permission denied" docker run --rm busybox /etc/passwd
	fails_with 126 "is a directory" docker run --rm busybox /etc
	fails_with 125 "Invalid container name" docker run --rm --name -x busybox true
	fails_with 125 "No such image: nosuch:latest" docker run --rm --pull never nosuch true
	[ -z "$(docker ps -aq)" ]
}

@test "a failed start is kept as the container's error" {
	fails_with 127 "executable file not found" docker run --name broken busybox nosuch
	run docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}' broken
	prints "created 127"
	prints "executable file not found"
	docker rm broken
}

@test "stdin goes in, is half-closed, and large streams arrive whole" {
	[ "$(echo hello | docker run --rm -i busybox cat)" = hello ]
	head -c 3000000 /dev/urandom >"$DIR/rnd"
	[ "$(docker run --rm -i busybox sha256sum <"$DIR/rnd")" = "$(sha256sum <"$DIR/rnd")" ]
	[ "$(docker run --rm busybox head -c 5000000 /dev/zero | wc -c)" = 5000000 ]
}

@test "environment, user, directory, host name, capabilities" {
	run docker run --rm -e A=b --user 1000:1000 -w /tmp --hostname box --cap-drop ALL busybox \
		sh -c 'echo $A; id -u; id -g; pwd; hostname; grep CapEff /proc/self/status'
	[ "$status" -eq 0 ]
	[ "$output" = "b
1000
1000
/tmp
box
CapEff:	0000000000000000" ]
}

@test "a bind is seen, and read only when asked" {
	mkdir -p "$DIR/data"
	echo data >"$DIR/data/f"
	[ "$(docker run --rm -v "$DIR/data:/d" busybox cat /d/f)" = data ]
	fails_with 1 "Read-only file system" docker run --rm -v "$DIR/data:/d:ro" busybox touch /d/x
	fails_with 1 "Read-only file system" docker run --rm --read-only busybox touch /x
}

@test "memory and cpu limits are the cgroup's" {
	run docker run --rm -m 64m --cpus 0.5 --pids-limit 50 busybox sh -c \
		'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/pids/pids.max 2>/dev/null ||
		 cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids.max'
	prints 67108864
	prints 50000
	prints 50
}

@test "a container has an address on the bridge, and none of it with --network none" {
	run docker run --rm busybox ip -4 addr show eth0
	prints "inet 172."
	fails_with 1 "can't find device 'eth0'" docker run --rm --network none busybox ip addr show eth0
}

@test "names are unique while the container is there" {
	docker create --name one busybox true
	fails_with 1 'The container name "/one" is already in use' docker create --name one busybox true
	docker rename one two
	docker create --name one busybox true
	docker rm one two
}

@test "what is not supported is refused by name" {
	fails_with 125 "published ports are not supported yet" docker run --rm -p 80:80 busybox true
	fails_with 125 "named volumes are not supported yet" docker run --rm -v vol:/x busybox true
	fails_with 125 "network" docker run --rm --network nosuch busybox true
	fails_with 1 "creating volumes is not supported yet" docker volume create x
	fails_with 1 "creating networks is not supported yet" docker network create x
	fails_with 1 "copying from a container is not supported yet" docker cp x:/a "$DIR/b"
	[ -z "$(docker ps -aq)" ]
}

@test "images are listed, tagged, inspected and removed" {
	docker tag busybox other:two
	run docker images --format '{{.Repository}}:{{.Tag}}'
	prints busybox:latest
	prints other:two
	[ "$(docker image inspect -f '{{.Os}}' other:two)" = linux ]
	docker history other:two
	run docker rmi other:two
	[ "$output" = "Untagged: other:two" ]
	docker create --name holder busybox true
	fails_with 1 "container" docker rmi busybox
	docker rm holder
	fails_with 1 "No such image: other:two" docker rmi other:two
}

@test "a saved archive is loaded, also compressed, and a torn one refused" {
	python3 - "$("$TOP/tools/image" busybox)" "$DIR/a.tar" <<-'PY'
	import hashlib, io, json, sys, tarfile
	layer = open(sys.argv[1], "rb").read()
	config = json.dumps({"architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z",
	    "config": {"Cmd": ["echo", "from the archive"]},
	    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
	    "history": [{"created": "2026-01-02T03:04:05Z", "created_by": "by hand"}]}).encode()
	name = hashlib.sha256(config).hexdigest() + ".json"
	manifest = json.dumps([{"Config": name, "RepoTags": ["loaded:one"], "Layers": ["l/layer.tar"]}]).encode()
	with tarfile.open(sys.argv[2], "w") as tar:
	    for path, data in ((name, config), ("l/layer.tar", layer), ("manifest.json", manifest)):
	        info = tarfile.TarInfo(path)
	        info.size = len(data)
	        tar.addfile(info, io.BytesIO(data))
	PY
	run docker load -i "$DIR/a.tar"
	prints "Loaded image: loaded:one"
	[ "$(docker run --rm loaded:one)" = "from the archive" ]
	run docker history --format '{{.CreatedBy}}' loaded:one
	[ "$output" = "by hand" ]
	docker rmi loaded:one
	gzip "$DIR/a.tar"
	docker load -q -i "$DIR/a.tar.gz"
	docker rmi loaded:one
	fails_with 1 "ends too early" docker load -i <(gzip -dc "$DIR/a.tar.gz" | head -c 100000)
}
