#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Broken, hostile and huge input: one clear error, docker's status and exit code, and nothing changed.

load engine.bash

# Of runtime.bash only the bundle: its names of helpers are engine.bash's too.
eval "$(sed -n '/^config() {/,/^}/p' "$(dirname "$BATS_TEST_FILENAME")/runtime.bash")"
OCI=${TEU_OCI:-$TOP/build/teu-oci}

setup_file() {
	engine_setup_file
	[ -n "${DIR:-}" ] || return 0
	ROOTFS=$("$TOP/tools/image" busybox)
	export ROOTFS
	mkdir -p "$DIR/b/rootfs/bin" "$DIR/i"
	ln -s busybox "$DIR/b/rootfs/bin/true"
	cp /bin/busybox "$DIR/b/rootfs/bin/"
	python3 "$TOP/tests/tools/mkimage.py" "$ROOTFS" "$DIR/i" bad
	config . && cp "$DIR/b/config.json" "$DIR/good.json"
	docker run --rm busybox true # directories that the first one makes
}

teardown_file() { engine_teardown_file; }

setup() {
	engine_setup
	before=$(world)
}

teardown() { remove_all; }

# All that bad input could have changed: containers, images, the store, state, processes, cgroups, mounts.
world() {
	docker ps -a --no-trunc --format '{{.ID}} {{.Status}}'
	docker images --no-trunc --format '{{.ID}} {{.Repository}}:{{.Tag}}'
	find "$DIR/e/root" "$DIR/e/run" "$DIR/oci" -mindepth 1 -maxdepth 4 2>/dev/null | grep -v -e '-wal$' -e '-shm$' -e /@seccomp | sort
	pgrep -f "shim [0-9a-f]* $DIR/" || true
	find /sys/fs/cgroup -maxdepth 4 -type d -name 'teu-bad-*' 2>/dev/null
	grep -c "$DIR" "/proc/$(engine_pid)/mountinfo" || true
	ls /tmp/escape 2>/dev/null || true
}

same() { [ "$(world)" = "$before" ]; }
nothing_changed() { until_ok same || { diff <(echo "$before") <(world) | head -20; return 1; }; }

oci() { timeout -k 1 10 "$OCI" --root "$DIR/oci" "$@"; }
oci_run() { oci run --bundle "$DIR/b" "teu-bad-$$"; }

# One line, one program's name, and the words.
one_error() {
	fails_with "$@"
	[ "$(grep -c . <<<"$output")" -eq 1 ] || { echo "more than one line: $output"; return 1; }
}

# refused WORDS JQ: the good bundle with that change is refused so.
refused() {
	config "$2"
	one_error 1 "$1" oci_run
}

# text WORDS: config.json is what comes on stdin.
text() {
	cat >"$DIR/b/config.json"
	one_error 1 "$1" oci_run
}

good() { cat "$DIR/good.json"; }
many() { head -c "$1" /dev/zero | tr '\0' "$2"; }

@test "config.json that is no config: text, empty, cut, huge, deep, odd files" {
	config . && oci_run
	text "JSON line 1 column 2" <<<'not json'
	text "found the end of the text" </dev/null
	text "found the end of the text" < <(good | head -c 500)
	text "nothing more after the value" < <(good; echo garbage)
	text "must be an object, not array" <<<'[]'
	text "not valid UTF-8" < <(printf '{"ociVersion":"1.0\xff"}')
	text "larger than" < <(printf '{"x":"'; many 5000000 a; printf '"}')
	text "nested deeper than the limit" < <(printf '{"x":'; many 100000 '[')
	text "nested deeper than the limit" < <(printf '{"x":'; for i in $(seq 20000); do printf '{"a":'; done)
	rm "$DIR/b/config.json"
	one_error 1 "No such file or directory" oci_run
	mkfifo "$DIR/b/config.json"
	one_error 1 "is not a regular file" oci_run
	rm "$DIR/b/config.json" && ln -s /dev/zero "$DIR/b/config.json"
	one_error 1 "is not a regular file" oci_run
	rm "$DIR/b/config.json" && mkdir "$DIR/b/config.json"
	one_error 1 "is not a regular file" oci_run
	rmdir "$DIR/b/config.json"
	nothing_changed
}

@test "config.json of wrong types and values names the field" {
	refused "ociVersion: must be a string, not number" '.ociVersion = 5'
	refused "ociVersion: is required" 'del(.ociVersion)'
	refused "ociVersion 2.0.0: this runtime knows 1.x" '.ociVersion = "2.0.0"'
	refused "process.args: must be a list, not string" '.process.args = "true"'
	refused "process.args is empty" '.process.args = []'
	refused "no process: there is nothing to start" 'del(.process)'
	refused "and 1 more problem" '.process.args = [1, 2]'
	refused "args[0]: must not hold a NUL byte" '.process.args = ["/bin/true\u0000x"]'
	refused "env[0]: must not hold a NUL byte" '.process.env = ["A\u0000=b"]'
	refused "root.path: must not hold a NUL byte" '.root.path = "rootfs\u0000x"'
	refused "'-1' is out of range" '.process.user.uid = -1'
	refused "'4294967296' is out of range" '.process.user.uid = 4294967296'
	refused "'1.5' is no integer" '.process.user.uid = 1.5'
	refused "memory.limit: must be an integer, not string" '.linux.resources.memory.limit = "64m"'
	refused "is no integer" '.linux.resources.memory.limit = 99999999999999999999'
	refused "from 0 to 64" '.hostname = "x" * 100'
	refused "is not one of RLIMIT_CPU" '.process.rlimits = [{"type":"RLIMIT_BOGUS","hard":1,"soft":1}]'
	refused "soft limit above the hard limit" '.process.rlimits = [{"type":"RLIMIT_NOFILE","hard":1,"soft":5}]'
	refused "another entry has the same type" '.process.rlimits += .process.rlimits'
	refused "annotations.a: must be a string" '.annotations = {"a": 5}'
	refused "oomScoreAdj: '5000' is out of range" '.process.oomScoreAdj = 5000'
	nothing_changed
}

@test "config.json with namespaces, paths and calls that cannot be" {
	refused "'bogus' is not one of user, ipc" '.linux.namespaces += [{"type":"bogus"}]'
	refused "another entry has the same type" '.linux.namespaces += [{"type":"pid"}]'
	refused "the file is not a namespace" '.linux.namespaces |= map(if .type=="network" then .path="/etc/passwd" else . end)'
	refused "network namespace '/no/such': No such file" '.linux.namespaces |= map(if .type=="network" then .path="/no/such" else . end)'
	refused "linux.namespaces: must be a list" '.linux.namespaces = "all"'
	refused "uidMappings without a user namespace" '.linux.uidMappings = [{"containerID":0,"hostID":0,"size":1}]'
	refused "'relative' is not an absolute path" '.process.cwd = "relative"'
	refused "nosuch': No such file or directory" '.root.path = "nosuch"'
	refused "host's root directory" '.root.path = "/"'
	refused "has a '..'" '.linux.cgroupsPath = "../../../escape"'
	refused "has a '..'" '.linux.cgroupsPath = "/../escape"'
	refused "'../x' is not an absolute path" '.linux.devices = [{"path":"../x","type":"c","major":1,"minor":3}]'
	refused "'q' is not one of c, b, u, p" '.linux.devices = [{"path":"/x","type":"q","major":1,"minor":3}]'
	refused "is not a sysctl name" '.linux.sysctl = {"../../etc/x":"x"}'
	refused "it would change the host" '.linux.sysctl = {"vm.swappiness":"1"}'
	refused "source '/no/such': No such file" '.mounts += [{"destination":"/tmp","type":"bind","source":"/no/such","options":["bind"]}]'
	refused "mount nosuchfs on '/bin'" '.mounts += [{"destination":"/bin","type":"nosuchfs","source":"t"}]'
	refused "destination: is required" '.mounts += [{"type":"tmpfs"}]'
	refused "'SCMP_ACT_BOGUS' is unknown" '.linux.seccomp = {"defaultAction":"SCMP_ACT_BOGUS"}'
	refused "'SCMP_ARCH_BOGUS' is unknown" '.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_BOGUS"]}'
	refused "path: 'relative' is not an absolute path" '.hooks = {"prestart":[{"path":"relative"}]}'
	refused "run '/no/such': No such file" '.hooks = {"createRuntime":[{"path":"/no/such"}]}'
	refused "windows is not supported" '.windows = {}'
	refused "linux.intelRdt.closID '..' is no name" '.linux.intelRdt = {"closID":".."}'
	nothing_changed
}

@test "a root path that climbs out is a root like any other, and its program is looked for there" {
	config '.root.path = "../b/../i"'
	one_error 127 '"/bin/true": no such file or directory' oci_run
	nothing_changed
}

@test "teu-oci: bad ids, flags, commands" {
	config .
	local id
	for id in . .. a/b ../x $'a\nb' "a b" 'x;y' "$(printf '\xff')"; do
		fails_with 1 "invalid container id format" oci run --bundle "$DIR/b" "$id"
	done
	fails_with 1 "container id cannot be empty" oci run --bundle "$DIR/b" ""
	fails_with 1 "at most 255 are allowed" oci run --bundle "$DIR/b" "$(many 2000 x)"
	for id in state kill delete start; do
		one_error 1 "container does not exist" oci $id nosuch
	done
	one_error 1 "container does not exist" oci exec nosuch true
	fails_with 1 "unknown flag: --bogus" oci run --bogus x
	fails_with 1 "unknown flag: --bogus" oci --bogus
	fails_with 1 "'bogus' is not a teu-oci command" oci bogus
	fails_with 1 "requires exactly 1 argument" oci create a b c
	fails_with 1 "needs an argument: --root" "$OCI" --root
	fails_with 1 "must be one of: text, json" oci --log-format bogus state x
	one_error 1 "open the log '/no/such/l'" oci --log /no/such/l state x
	one_error 1 "bundle '/no/such'" oci run --bundle /no/such x
	one_error 1 "pid file '/no/such/x'" oci run --pid-file /no/such/x --bundle "$DIR/b" "teu-bad-$$"
	one_error 1 "Not a directory" "$OCI" --root /dev/null state x
	nothing_changed
}

# image WORDS CASE
image() {
	local how=import
	case $2 in bad-load* | bad-oci*) how="load -i" ;; esac
	one_error 1 "$1" docker $how "$DIR/i/$2.tar"
	[[ "$output" == "Error response from daemon: "* ]]
}

@test "root file systems that are no tar, cut, damaged or bombs" {
	image "this is no tar archive" bad-not-a-tar
	image "the archive is empty" bad-empty
	image "the archive ends too early" bad-truncated
	image "checksum is wrong" bad-checksum
	image "gzip stream ends too early" bad-gzip-cut
	image "gzip stream is damaged" bad-gzip-noise
	image "zstd stream is damaged" bad-zstd-noise
	image "xz stream is damaged" bad-xz
	image "makes the archive larger than" bad-bomb
	image "a header field is no number" bad-size
	image "longer than 4096 bytes" bad-long-path
	image "a part of over 255 bytes" bad-long-name
	nothing_changed
}

@test "root file systems that reach out of themselves" {
	image "has a '..' in it" bad-dotdot
	image "has a '..' in it" bad-inner-dotdot
	image "lies below a symbolic link" bad-symlink
	image "lies below a symbolic link" bad-symlink-up
	image "lies below a symbolic link" bad-symlink-dir
	image "hard link: name '../../../../../etc/shadow' has a '..'" bad-hardlink
	image "the target of the hard link lies below a symbolic link" bad-hardlink-symlink
	image "character device 0:0 is overlay's whiteout" bad-whiteout-device
	image "'trusted.overlay.opaque' is not allowed" bad-overlay-attr
	image "whiteout of no possible name" bad-whiteout-name
	[ ! -e /tmp/escape ]
	nothing_changed
}

@test "archives of images that contradict themselves" {
	image "neither manifest.json" bad-load-plain
	image "manifest.json': JSON line 1" bad-load-manifest
	image "must be a list of images" bad-load-manifest-type
	image "no member 'c.json'" bad-load-no-config
	image "has a '..' in it" bad-load-outside
	image "link 'c.json' leaves the archive" bad-load-symlink
	image "occurs twice" bad-load-twice
	image "the config says" bad-load-diff
	image "its config names 0 diff ids" bad-load-count
	image "invalid reference format" bad-load-name
	image "nested deeper than the limit" bad-load-deep
	image "rootfs: must be an object" bad-load-config-type
	image "has a '..' in it" bad-load-layer
	image "lies below a symbolic link" bad-load-layer-link
	image "the bytes have digest" bad-oci-digest
	image "its descriptor says" bad-oci-size
	image "has other bytes than its digest says" bad-oci-config
	nothing_changed
}

@test "an image whose passwd is a pipe, or names loops, holds nobody up" {
	mkdir "$DIR/h" && tar -xf "$ROOTFS" -C "$DIR/h" ./bin
	mkdir "$DIR/h/etc" && mkfifo "$DIR/h/etc/passwd" && ln -s group "$DIR/h/etc/group"
	ln -s loop "$DIR/h/loop"
	tar -C "$DIR/h" -c . | docker import - pipes
	fails_with 125 "is no regular file" docker run --rm pipes true
	fails_with 125 "is no regular file" docker run --rm --user someone pipes true
	docker rmi pipes
	rm "$DIR/h/etc/passwd"
	tar -C "$DIR/h" -c . | docker import - pipes
	fails_with 125 'exec: "/loop"' docker run --rm pipes /loop
	docker rmi pipes
	mkdir -p "$DIR/b/rootfs/etc" && mkfifo "$DIR/b/rootfs/etc/passwd"
	config . && oci_run
	rm -r "$DIR/b/rootfs/etc"
	rm -r "$DIR/h"
	nothing_changed
}

# raw STATUS WORDS: what is on stdin, byte by byte as it stands, is answered so.
raw() {
	output=$(timeout 20 socat -t 10 - "UNIX-CONNECT:$DIR/e/docker.sock" 2>/dev/null | tr -d '\r')
	[[ "$output" == "HTTP/1.1 $1 "* && "$output" == *"$2"* ]] || { echo "wanted $1 '$2', got: ${output:0:600}"; return 1; }
	[[ "$1" == 200 || "$output" == *'{"message":"'* ]] || { echo "no message: $output"; return 1; }
}

H='HTTP/1.1\r\nHost: x\r\nConnection: close\r\n'
J='Content-Type: application/json\r\n'

# asked STATUS WORDS METHOD TARGET [BODY [TYPE]]
asked() {
	local type=
	[ -z "${5:-}" ] || type="Content-Type: ${6:-application/json}\r\n"
	printf "$3 %s $H${type}Content-Length: ${#5}\r\n\r\n%s" "$4" "${5:-}" | raw "$1" "$2"
}

@test "requests that are not HTTP, or more of it than anybody needs" {
	printf 'garbage\r\n\r\n' | raw 400 "request line"
	printf '\x16\x03\x01\x02hello' | raw 400 "not HTTP"
	printf 'GET /_ping HTTP/3.0\r\nHost: x\r\n\r\n' | raw 505 "HTTP/1.1"
	printf 'GET /_ping HTTP/1.1\r\n\r\n' | raw 400 "no Host"
	printf "GET /_ping ${H}Host: y\r\n\r\n" | raw 400 "more than one Host"
	printf "GET /_ping ${H}Bad Header: y\r\n\r\n" | raw 400 "not allowed"
	printf "GET /_ping ${H}X: a\r\n b\r\n\r\n" | raw 400 "folded"
	printf "GET /_ping ${H}X: a\001b\r\n\r\n" | raw 400 "control character"
	printf "GET /_ping ${H}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello" | raw 400 "more than one Content-Length"
	printf "GET /_ping ${H}Content-Length: -5\r\n\r\nhello" | raw 400 "not a number"
	printf "POST /v1.47/containers/create ${H}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" | raw 400 "both"
	printf "POST /v1.47/containers/create ${H}${J}Transfer-Encoding: gzip\r\n\r\nzz" | raw 501 "chunked"
	printf "POST /v1.47/containers/create ${H}${J}Transfer-Encoding: chunked\r\n\r\nzz\r\n" | raw 400 "not hexadecimal"
	printf "POST /v1.47/containers/create ${H}${J}Content-Length: 100\r\n\r\n{" | raw 400 "in the middle of a body"
	(printf "GET /_ping ${H}X: "; many 60000 a; printf '\r\n\r\n') | raw 200 OK
	(printf "GET /_ping ${H}X: "; many 500000 a; printf '\r\n\r\n') | raw 431 "too large"
	(printf "GET /_ping ${H}"; for i in $(seq 3000); do printf "X$i: y\r\n"; done; printf '\r\n') | raw 431 "header fields"
	(printf 'GET /'; many 100000 a; printf " $H\r\n") | raw 414 "too long"
	printf "POST /v1.47/containers/create ${H}${J}Content-Length: 99999999999\r\n\r\n{" | raw 413 "more than"
	(printf "POST /v1.47/containers/create ${H}${J}Transfer-Encoding: chunked\r\n\r\n600000\r\n"; many 6291456 ' ') | raw 413 "larger than"
	nothing_changed
}

@test "requests for what is not there" {
	asked 404 "page not found" GET /v1.47/nothing/here
	asked 404 "page not found" GET /v1.x/info
	asked 404 "page not found" BREW /_ping
	asked 404 "page not found" DELETE /v1.47/info
	asked 404 "page not found" GET /v1.47/containers/..%2f..%2fetc/json
	asked 400 "too new. Maximum supported API version is 1.50" GET /v9.99/info
	asked 400 "too old. Minimum supported API version is 1.24" GET /v1.10/info
	asked 400 "escaped NUL" GET /v1.47/containers/%00/json
	asked 400 "bad percent escape" GET /v1.47/containers/%zz/json
	asked 400 "invalid filter" GET '/v1.47/containers/json?filters=notjson'
	asked 400 "invalid filter 'bogus'" GET '/v1.47/containers/json?filters=%7B%22bogus%22%3A%5B%22x%22%5D%7D'
	asked 400 "'limit': 'nope'" GET '/v1.47/containers/json?limit=nope'
	asked 400 "invalid since" GET '/v1.47/events?since=nope'
	asked 404 "No such container: nosuch" POST /v1.47/containers/nosuch/start
	asked 404 "No such image: nosuch" GET /v1.47/images/nosuch/json
	nothing_changed
}

@test "bodies that are no container" {
	local url=/v1.47/containers/create
	asked 400 "found the end of the text" POST $url '{"Image":'
	asked 400 "nothing more after the value" POST $url '{"Image":"busybox"} {}'
	asked 400 "config cannot be empty" POST $url '[]'
	asked 400 "Image: must be a string, not number" POST $url '{"Image":5}'
	asked 400 "unsupported Content-Type header (text/plain)" POST $url '{"Image":"busybox"}' text/plain
	asked 400 "and 2 more problems" POST $url '{"Image":"busybox","HostConfig":{"Memory":"much","CpuShares":"x","NanoCpus":1.5}}'
	asked 400 "Invalid container name (a/b)" POST "$url?name=a/b" '{"Image":"busybox","Cmd":["true"]}'
	asked 400 "Env[0]: must not hold a NUL byte" POST $url '{"Image":"busybox","Cmd":["true"],"Env":["A\u0000B=c"]}'
	asked 400 "needs to be an absolute path" POST $url '{"Image":"busybox","Cmd":["true"],"WorkingDir":"relative"}'
	asked 400 "no command specified" POST $url '{"Image":"busybox"}'
	asked 404 "No such image: nosuch:latest" POST $url '{"Image":"nosuch"}'
	asked 400 "nested deeper than the limit" POST $url "{\"a\":$(many 50000 '[')"
	nothing_changed
}

@test "slow and silent clients hold nobody up" {
	local i pids=()
	for i in $(seq 20); do
		(printf 'GET /_ping HT'; sleep 3) | timeout 4 socat - "UNIX-CONNECT:$DIR/e/docker.sock" >/dev/null 2>&1 3>&- &
		pids+=($!)
	done
	[ "$(docker run --rm busybox echo quick)" = quick ]
	# byte by byte it is a request all the same
	printf "GET /_ping $H\r\n" | python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
for b in sys.stdin.buffer.read(): s.send(bytes([b])); time.sleep(0.002)
assert s.recv(100).startswith(b"HTTP/1.1 200"), "no answer"' "$DIR/e/docker.sock"
	wait "${pids[@]}" || true
	nothing_changed
}

@test "the command line: bad options are 125, before anything is made" {
	fails_with 125 "" docker run --rm -v relative/path:/x busybox true
	fails_with 125 "" docker run --rm -v /a:/b:nosuchmode busybox true
	fails_with 125 "" docker run --rm -v /a:relative busybox true
	fails_with 125 "" docker run --rm --mount type=bind,source=/no/such,target=/x busybox true
	fails_with 125 "" docker run --rm --memory lots busybox true
	fails_with 125 "" docker run --rm --memory 1k busybox true
	fails_with 125 "" docker run --rm --cpus -1 busybox true
	fails_with 125 "" docker run --rm --cpus 10000 busybox true
	fails_with 125 "nosuch" docker run --rm --network nosuch busybox true
	fails_with 125 "" docker run --rm --network container:nosuch busybox true
	fails_with 125 "named volumes are not supported yet" docker run --rm -v vol:/x busybox true
	fails_with 125 "published ports are not supported yet" docker run --rm -p 80:80 busybox true
	fails_with 125 "not supported" docker run --rm --gpus all busybox true
	fails_with 125 "" docker run --rm --cap-add BOGUS busybox true
	fails_with 125 "" docker run --rm --user nosuchuser busybox true
	fails_with 125 "" docker run --rm --security-opt bogus busybox true
	fails_with 125 "" docker run --rm --runtime bogus busybox true
	fails_with 125 "" docker run --rm --log-driver bogus busybox true
	fails_with 127 "/no/such" docker run --rm --device /no/such busybox true # docker's client reads "no such file" so
	fails_with 125 "" docker run --rm --name 'bad name' busybox true
	fails_with 125 "" docker run --rm -w relative busybox true
	fails_with 125 "" docker run --rm --restart bogus busybox true
	fails_with 125 "" docker run --rm -e '' -h "$(many 100 x)" busybox true
	fails_with 126 "" docker run --rm busybox /etc
	fails_with 127 "" docker run --rm busybox /no/such
	nothing_changed
}

@test "teu's own command line says the same" {
	local teu="timeout 30 $TEU --host $DOCKER_HOST"
	fails_with 125 "" $teu run --rm --memory lots busybox true
	fails_with 125 "unknown flag: --bogus" $teu run --bogus busybox true
	fails_with 125 "nosuch" $teu run --rm --network nosuch busybox true
	fails_with 125 "not supported" $teu run --rm -p 80:80 busybox true
	fails_with 125 "named volumes are not supported yet" $teu run --rm -v vol:/x busybox true
	fails_with 127 "nosuch" $teu run --rm busybox nosuch
	fails_with 126 "" $teu run --rm busybox /etc
	fails_with 125 "'bogus' is not a teu command" $teu bogus
	fails_with 1 "nosuch" $teu inspect nosuch
	fails_with 1 "no tar archive" $teu import "$DIR/i/bad-not-a-tar.tar"
	fails_with 1 "neither manifest.json" $teu load -i "$DIR/i/bad-load-plain.tar"
	nothing_changed
}
