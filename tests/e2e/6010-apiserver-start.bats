#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `teu apiserver`: started in one step, ended, killed, started again; who may, certificates, tokens, backups, keys at rest.

load apiserver.bash

setup() { api_setup; }

ready_case() {
	set -e
	api_start --kubeconfig-out kc --pid-file pid
	grep -o 'took="[0-9]* us"' api.log
	grep -E 'VmRSS|VmHWM' "/proc/$SERVER/status"
	[ "$(cat pid)" = "$SERVER" ]
	[ "$(stat -c '%a %u' kc)" = "600 0" ]
	cmp <(grep server: kc) <(grep server: root/apiserver/admin.kubeconfig)
	timeout 30 "$KUBECTL" --kubeconfig kc get --raw /readyz
	echo
	k get ns -o name
	k -n kube-system create configmap mine --from-literal a=b
	api_stop
	[ ! -e pid ] || [ "$(stat -c %u .)" != 61904 ]
	api_start --kubeconfig-out kc
	k -n kube-system get configmap mine -o jsonpath='{.data.a}'
	api_stop
}

@test "apiserver: one step from nothing to a server that kubectl works with, and again" {
	run alone ready_case
	echo "$output"
	[ "$status" -eq 0 ]
	echo "# $(grep -oE 'took=.*us|Vm[A-Z]+:.*kB' <<<"$output" | tr -s '\t ' ' ' | tr '\n' ' ')" >&3
	[[ $output == *$'\nok\n'* ]]
	[[ $output == *"namespace/kube-node-lease"* ]]
	[ "${lines[-1]}" = b ]
}

objects_case() {
	set -e
	ip link add ve0 type veth peer name ve1
	ip addr add 10.9.8.7/24 dev ve0
	ip link set ve0 up
	api_start --listen 10.9.8.7:6443 --service-cluster-ip-range 10.7.0.0/16
	k get svc kubernetes -o jsonpath='{.spec.clusterIP} {.spec.ports[0].name} {.spec.ports[0].port} {.spec.ports[0].targetPort}{"\n"}'
	k get endpoints kubernetes -o jsonpath='{.subsets[0].addresses[0].ip}:{.subsets[0].ports[0].port}{"\n"}' 2>/dev/null
	k get endpointslices kubernetes -o jsonpath='{.addressType} {.endpoints[0].addresses[0]} {.ports[0].port} {.metadata.labels}{"\n"}'
	k get servicecidr kubernetes -o jsonpath='{.spec.cidrs[0]} {.status.conditions[0].type}={.status.conditions[0].status}{"\n"}'
	k get ipaddress 10.7.0.1 -o jsonpath='{.spec.parentRef.resource}/{.spec.parentRef.name}{"\n"}'
	k get priorityclass -o jsonpath='{range .items[*]}{.metadata.name}={.value} {end}{"\n"}'
	k get flowschema -o jsonpath='{range .items[*]}{.metadata.name}:{.spec.matchingPrecedence}:{.spec.priorityLevelConfiguration.name} {end}{"\n"}'
	k get prioritylevelconfiguration -o name | wc -l
	k get flowschema probes -o jsonpath='{.metadata.annotations}{"\n"}'
	k -n kube-system get cm extension-apiserver-authentication -o jsonpath='{.data.requestheader-allowed-names}{"\n"}'
	k -n kube-system get lease -l apiserver.kubernetes.io/identity=kube-apiserver -o name | grep -cE '/apiserver-[a-z2-7]{26}$'
	k get flowschema probes -o jsonpath='{.metadata.managedFields}{"\n"}' --show-managed-fields | grep -o '"manager":"[^"]*"'
	# what others take away or bend comes back
	k delete flowschema probes
	k delete endpointslice kubernetes
	k patch prioritylevelconfiguration catch-all --type merge -p '{"spec":{"limited":{"nominalConcurrencyShares":77}}}'
	k wait --for=create flowschema/probes --timeout 30s
	k wait --for=create endpointslice/kubernetes --timeout 30s
	k wait --for=jsonpath='{.spec.limited.nominalConcurrencyShares}'=5 prioritylevelconfiguration/catch-all --timeout 30s
	# but not what somebody made his own
	k annotate prioritylevelconfiguration workload-low apf.kubernetes.io/autoupdate-spec=false --overwrite
	k patch prioritylevelconfiguration workload-low --type merge -p '{"spec":{"limited":{"nominalConcurrencyShares":55}}}'
	api_stop
	# the address has changed
	ip addr del 10.9.8.7/24 dev ve0
	ip addr add 10.9.8.9/24 dev ve0
	api_start --listen 10.9.8.9:6443 --service-cluster-ip-range 10.7.0.0/16
	k get endpoints kubernetes -o jsonpath='{.subsets[*].addresses[*].ip}{"\n"}' 2>/dev/null
	k get prioritylevelconfiguration workload-low -o jsonpath='{.spec.limited.nominalConcurrencyShares}{"\n"}'
	api_stop
}

@test "apiserver: the objects that are always there, and that come back" {
	run alone objects_case
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "10.7.0.1 https 443 6443" ]
	[ "${lines[1]}" = "10.9.8.7:6443" ]
	[ "${lines[2]}" = 'IPv4 10.9.8.7 6443 {"kubernetes.io/service-name":"kubernetes"}' ]
	[ "${lines[3]}" = "10.7.0.0/16 Ready=True" ]
	[ "${lines[4]}" = "services/kubernetes" ]
	[ "${lines[5]}" = "system-cluster-critical=2000000000 system-node-critical=2000001000 " ]
	[[ "${lines[6]}" == *"catch-all:10000:catch-all exempt:1:exempt global-default:9900:global-default "*"probes:2:exempt "*"system-nodes:500:system "* ]]
	[ "${lines[7]}" = 8 ]
	[ "${lines[8]}" = '{"apf.kubernetes.io/autoupdate-spec":"true"}' ]
	[ "${lines[9]}" = '["front-proxy-client"]' ]
	[ "${lines[10]}" = 1 ]
	[ "${lines[11]}" = '"manager":"kube-apiserver"' ]
	[ "${lines[-2]}" = "10.9.8.9" ]
	[ "${lines[-1]}" = 55 ]
}

fence_case() {
	set -e
	api_start --kubeconfig-out kc
	grep -E '^(Uid|Gid|Groups|CapEff|CapBnd|CapPrm|NoNewPrivs|Seccomp):' "/proc/$SERVER/status"
	stat -c '%u %a' root/apiserver root/apiserver/pki root/apiserver/pki/ca.key root/apiserver/store/store.db
	stat -c '%u %a %F' run/apiserver.sock
	find root/apiserver ! -user 61904
	[ -z "$(pgrep -P "$SERVER" || true)" ]
	api_stop
}

@test "apiserver: root is given up, and all of its state is the new user's" {
	run alone fence_case
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" =~ ^Uid:[[:space:]]61904[[:space:]]61904[[:space:]]61904[[:space:]]61904 ]]
	[[ "${lines[1]}" =~ ^Gid:[[:space:]]61904 ]]
	[[ "$output" == *"CapPrm:"*"0000000000000000"*"CapEff:"*"0000000000000000"*"CapBnd:"*"0000000000000000"* ]]
	[[ "$output" == *"NoNewPrivs:"*1*"Seccomp:"*2* ]]
	[[ "$output" == *$'61904 700\n61904 700\n61904 600\n61904 600\n0 600 socket' ]]
}

plain_user_case() {
	set -e
	# a directory that he can get to, and that is his
	D=$(mktemp -d /tmp/teu-e2e-XXXXXX)
	trap 'rm -rf "$D"; for p in $(jobs -p); do kill "$p" 2>/dev/null; done; wait 2>/dev/null' EXIT
	chown 1234:1234 "$D"
	cd "$D"
	AS="setpriv --reuid 1234 --regid 1234 --clear-groups" api_start --kubeconfig-out kc
	k get ns default -o name
	stat -c '%u %a' kc root/apiserver/store/store.db
	fails_with "only root can become another user" setpriv --reuid 1234 --regid 1234 --clear-groups "$TEU" --root "$PWD/r2" --run "$PWD/run2" apiserver --user 77
	api_stop
	# root finds a directory of somebody else's
	fails_with "belongs to uid 1234" teu apiserver
	api_start --user 1234
	k get ns default -o name
	api_stop
}

@test "apiserver: runs as a plain user, who keeps what is his" {
	run alone plain_user_case
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = namespace/default ]
	[ "${lines[1]}" = "1234 600" ]
	[ "${lines[2]}" = "1234 600" ]
	[ "${lines[3]}" = namespace/default ]
}

second_case() {
	set -e
	api_start
	fails_with "another API server (or teu store, teu certs) runs with --root $PWD/root" teu apiserver --listen 127.0.0.1:7443
	fails_with "end it first" teu store restore /nowhere
	k get ns default -o name
	api_stop KILL || true
	api_start
	k get ns default -o name
	api_stop
	fails_with "--run: make directory '/proc/none'" "$TEU" --root "$PWD/root" --run /proc/none apiserver
}

@test "apiserver: a second one with the same root is refused, one after kill -9 is not" {
	run alone second_case
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(grep -c ^namespace/default <<<"$output")" = 2 ]
}

@test "apiserver: plugins that need a configuration of their own are refused without, and a file that is not there" {
	local name

	for name in ImagePolicyWebhook EventRateLimit; do
		fails_with "couldn't init admission plugin \"$name\": " \
			"$TEU" --root "$BATS_TEST_TMPDIR/root" --run "$BATS_TEST_TMPDIR/run" apiserver --enable-admission-plugins "$name"
	done
	fails_with "--admission-control-config-file: open" \
		"$TEU" --root "$BATS_TEST_TMPDIR/root" --run "$BATS_TEST_TMPDIR/run" apiserver --admission-control-config-file nowhere.yaml
}

kill_case() {
	local i
	for ((i = 0; i < 20; i++)); do
		rm -rf root
		"$TEU" --root "$PWD/root" --run "$PWD/run" apiserver --listen 127.0.0.1:6443 >first.log 2>&1 </dev/null &
		SERVER=$!
		# anywhere in a first start: it takes some 30 ms
		python3 -c "import time; time.sleep($i * 0.0018)"
		kill -KILL "$SERVER"
		wait "$SERVER" 2>/dev/null
		api_start || return 1
		[ "$(k get ns -o name | wc -l)" = 4 ] || { echo "round $i"; return 1; }
		k auth whoami -o jsonpath='{.status.userInfo.username}{"\n"}' >/dev/null || return 1
		[ -z "$(find root -name '*.tmp')" ] || { find root; return 1; }
		api_stop || return 1
	done
	echo "$i rounds"
}

@test "apiserver: killed at any moment of its first start, it starts the next time" {
	run alone kill_case
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "20 rounds" ]
}

token_case() {
	set -e
	umask 077
	echo 'sesame,alice,1,"system:masters"' >tokens
	api_start --token-auth-file tokens
	ca=root/apiserver/pki/ca.crt
	as() { curl -sS -m 10 --cacert "$ca" "${@:2}" "https://127.0.0.1:6443$1"; }
	as /api/v1/namespaces/default -H 'Authorization: Bearer sesame' -o /dev/null -w '%{http_code}\n'
	as /api/v1/namespaces/default -H 'Authorization: Bearer wrong' | grep -o '"message":.*'
	as /api/v1/namespaces/default -o /dev/null -w '%{http_code}\n'
	as /readyz -w '\n'
	# in place: the directory is root's, the file its alone
	echo 'other,bob,2,"system:masters"' >tokens
	sleep 1.1 # it is looked at once a second
	as /api/v1/namespaces/default -H 'Authorization: Bearer sesame' -o /dev/null -w '%{http_code}\n'
	as /api/v1/namespaces/default -H 'Authorization: Bearer other' -o /dev/null -w '%{http_code}\n'
	api_stop
	api_start --anonymous-auth=false
	as /readyz -o /dev/null -w '%{http_code}\n'
	api_stop
	echo 'bad line' >tokens
	fails_with "line 1: must have at least 3 columns" teu apiserver --token-auth-file tokens
}

@test "apiserver: tokens of a file, wrong ones, changed ones, nobody" {
	run alone token_case
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 200 ]
	[[ "${lines[1]}" == *Unauthorized* ]]
	[ "${lines[2]}" = 403 ]
	[ "${lines[3]}" = ok ]
	[ "${lines[4]}" = 401 ]
	[ "${lines[5]}" = 200 ]
	[ "${lines[6]}" = 401 ]
}

serial() { openssl s_client -connect 127.0.0.1:6443 </dev/null 2>/dev/null | openssl x509 -noout -serial; }

certs_case() {
	set -e
	local before after
	api_start --kubeconfig-out kc
	teu certs | head -1
	teu certs list --format json | grep -c Expires
	before=$(serial)
	# a watch is open while all is renewed
	k get ns -w -o name >watch.out 2>watch.err &
	WATCH=$!
	timeout 20 sh -c 'until grep -q namespace/kube-system watch.out; do sleep 0.05; done'
	cp kc kc.old
	teu certs renew
	after=$(serial)
	[ "$before" != "$after" ] && echo renewed
	! cmp -s kc kc.old && echo "kubeconfig too"
	for c in kc kc.old; do timeout 30 "$KUBECTL" --kubeconfig $c get ns default -o name; done
	k create ns later
	timeout 20 sh -c 'until grep -q namespace/later watch.out; do sleep 0.05; done'
	kill -0 "$WATCH" && echo "watch lives"
	kill "$WATCH"
	teu certs renew apiserver
	fails_with "there is no certificate 'x'" teu certs renew x
	teu certs export kubeconfig --user jane --group system:masters -o jane.kc
	timeout 30 "$KUBECTL" --kubeconfig jane.kc auth whoami -o jsonpath='{.status.userInfo.username} {.status.userInfo.groups}{"\n"}'
	teu certs export kubeconfig --user joe >joe.kc
	fails_with Forbidden timeout 30 "$KUBECTL" --kubeconfig joe.kc get secrets
	api_stop
	teu certs renew admin
	[ -z "$(find root/apiserver ! -user 61904)" ]
	api_start
	k get ns default -o name
	api_stop
}

@test "apiserver: certificates are listed, renewed without a cut, issued" {
	have openssl
	run alone certs_case
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == CERTIFICATE*EXPIRES*"RESIDUAL TIME"* ]]
	[ "${lines[1]}" = 8 ]
	[[ "$output" == *$'renewed\nkubeconfig too\nnamespace/default\nnamespace/default\nnamespace/later created\nwatch lives'* ]]
	[[ "$output" == *'jane ["system:masters","system:authenticated"]'* ]]
	[ "${lines[-1]}" = namespace/default ]
}

own_certs_case() {
	set -e
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout my.key -out my.crt -subj /CN=mine -addext subjectAltName=IP:127.0.0.1 2>/dev/null
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout ca.key -out ca.crt -subj /CN=clients -addext basicConstraints=critical,CA:TRUE 2>/dev/null
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout c.key -out c.csr -subj /O=system:masters/CN=carol 2>/dev/null
	printf 'extendedKeyUsage=clientAuth\n' >ext
	openssl x509 -req -in c.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out c.crt 2>/dev/null
	fails_with "one goes with the other" teu apiserver --tls-cert-file my.crt
	api_start --tls-cert-file my.crt --tls-private-key-file my.key --client-ca-file ca.crt
	curl -sS --cacert my.crt --cert c.crt --key c.key https://127.0.0.1:6443/api/v1/namespaces/default | grep -o '"name": *"default"' | head -1
	curl -sS --cacert my.crt --cert my.crt --key my.key https://127.0.0.1:6443/api -o /dev/null -w '%{http_code}\n'
	k get ns default -o name
	api_stop
}

@test "apiserver: certificates that are given, and a CA of clients" {
	have openssl
	run alone own_certs_case
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == *default* ]]
	[ "${lines[1]}" = 401 ]
	[ "${lines[2]}" = namespace/default ]
}

backup_case() {
	set -e
	api_start
	k create cm kept --from-literal v=1
	teu store backup copy.db
	fails_with "is there already" teu store backup copy.db
	stat -c '%a %u' copy.db
	k create cm lost --from-literal v=2
	teu store verify
	teu store stats | grep -c '"revision"'
	teu store compact | grep -c '"revision"'
	api_stop
	teu store verify
	teu store backup cold.db
	fails_with "with --replace" teu store restore copy.db
	fails_with "nowhere" teu store restore --replace /nowhere
	teu store restore --replace copy.db
	ls -d root/apiserver/store.old-* | wc -l
	api_start
	k get cm kept -o jsonpath='{.data.v}{"\n"}'
	fails_with "not found" k get cm lost
	k create cm next --from-literal v=3
	api_stop
}

@test "store: backup while it runs and while not, verify, restore" {
	run alone backup_case
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "configmap/kept created" ]
	[[ "${lines[1]}" == */copy.db ]]
	[ "${lines[2]}" = "600 0" ]
	[ "${lines[4]}" = "the store is whole" ]
	[ "$(grep -c "the store is whole" <<<"$output")" = 2 ]
	[[ "${lines[-1]}" == *"next created"* ]]
	[ "${lines[-2]}" = 1 ]
}

damage_case() {
	set -e
	api_start
	k create cm kept --from-literal v=1
	teu store backup good.db
	api_stop
	# pages in the middle of the file
	size=$(stat -c %s root/apiserver/store/store.db)
	for ((at = 4096; at < size; at += 4096)); do
		printf 'rubbish rubbish rubbish rubbish' | dd of=root/apiserver/store/store.db bs=1 seek=$((at + 8)) conv=notrunc status=none
	done
	! teu apiserver >damaged.log 2>&1
	cat damaged.log
	! teu store verify
	teu store restore --replace good.db
	api_start
	k get cm kept -o jsonpath='{.data.v}{"\n"}'
	api_stop
}

@test "store: a damaged one is refused, with the way back" {
	run alone damage_case
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"store verify"* ]]
	[ "${lines[-1]}" = 1 ]
}

key() { head -c 32 /dev/urandom | base64; }
conf() { # conf PROVIDER...: for secrets
	printf 'kind: EncryptionConfiguration\napiVersion: apiserver.config.k8s.io/v1\nresources:\n- resources: [secrets]\n  providers:\n'
	for p in "$@"; do printf '  - %s\n' "$p"; done
}

encryption_case() {
	set -e
	local old new db=root/apiserver/store/store.db
	old=$(key) new=$(key)
	api_start
	k create secret generic s --from-literal p=pLaInTeXt
	api_stop
	grep -qa "$(printf pLaInTeXt | base64)" $db* && echo "plain before"
	conf "aesgcm: {keys: [{name: old, secret: $old}]}" >enc
	fails_with "identity is not among the providers" teu apiserver --encryption-provider-config enc
	conf "aesgcm: {keys: [{name: old, secret: $old}]}" "identity: {}" >enc
	api_start --encryption-provider-config enc
	k get secrets -o json | k replace -f - >/dev/null
	k create secret generic t --from-literal p=0tHeRtExT
	k get secret s -o jsonpath='{.data.p}' | base64 -d
	echo
	teu store compact >/dev/null
	# the file is read again when it changes: a new key seals, the old one still opens
	conf "secretbox: {keys: [{name: new, secret: $new}]}" "aesgcm: {keys: [{name: old, secret: $old}]}" >enc
	timeout 20 sh -c "until grep -q 'reload done.*encryption' api.log; do sleep 0.05; done"
	k get secrets -o json | k replace -f - >/dev/null
	teu store compact >/dev/null
	api_stop
	sqlite3 $db "select distinct substr(cast(value as text),1,25) from log where cast(key as text) like '%secrets%' and not removed" | sort
	sqlite3 $db "select count(*) from log where instr(value, '$(printf 0tHeRtExT | base64)') > 0"
	conf "secretbox: {keys: [{name: new, secret: $new}]}" >enc
	api_start --encryption-provider-config enc
	k get secret t -o jsonpath='{.data.p}' | base64 -d
	echo
	api_stop
	conf "secretbox: {keys: [{name: new, secret: $old}]}" >enc
	fails_with "sealed with secretbox:v1:new: it does not open with the key of that name" teu apiserver --encryption-provider-config enc
	fails_with "no provider of its resource" teu apiserver
	conf "kms: {name: x}" >enc
	fails_with "kms is not supported" teu apiserver --encryption-provider-config enc
}

@test "apiserver: secrets are sealed in the database, keys are rotated, a wrong one is named" {
	have sqlite3
	run alone encryption_case
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"plain before"* ]]
	[[ "$output" == *pLaInTeXt* ]]
	[[ "$output" == *"k8s:enc:secretbox:v1:new:"* ]]
	[[ "$output" != *"k8s:enc:aesgcm"* ]]
	[[ "$output" == *$'\n0\n0tHeRtExT' ]]
}

config_case() {
	set -e
	cat >conf.yaml <<-END
		listen: [127.0.0.1:6443, "unix://$PWD/api.sock"]
		service-cluster-ip-range: 10.5.0.0/16
		anonymous-auth: false
		user: "0"
	END
	LISTEN= api_start --config conf.yaml --service-cluster-ip-range 10.6.0.0/16
	k get svc kubernetes -o jsonpath='{.spec.clusterIP}{"\n"}'
	curl -sS --cacert root/apiserver/pki/ca.crt https://127.0.0.1:6443/readyz -o /dev/null -w '%{http_code}\n'
	stat -c %a api.sock
	api_stop
	echo 'listne: x' >conf.yaml
	fails_with "'listne' is no flag of \`teu apiserver\`" teu apiserver --config conf.yaml
	echo 'user: [a]' >conf.yaml
	fails_with "user: takes one value" teu apiserver --config conf.yaml
	fails_with "only /registry is supported" teu apiserver --etcd-servers http://127.0.0.1:1 --etcd-prefix /x
	fails_with "must be two ports" teu apiserver --service-node-port-range 5
	fails_with "10.0.0.1/8" teu apiserver --service-cluster-ip-range 10.0.0.1/8
	fails_with "must be one of Hostname,InternalDNS" teu apiserver --user 0 --kubelet-preferred-address-types Hostname,Outside
	fails_with "CA of nodes" teu apiserver --user 0 --kubelet-certificate-authority nosuch
	fails_with "--listen nonsense" teu apiserver --listen nonsense
}

@test "apiserver: flags in a file, and flags that are wrong" {
	run alone config_case
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 10.6.0.1 ]
	[ "${lines[1]}" = 401 ]
	[ "${lines[2]}" = 600 ]
}

etcd_program() {
	local one
	for one in "${TEU_CACHE:-$HOME/.cache/teu}/peers/usr/bin/etcd" /usr/bin/etcd; do
		[ ! -x "$one" ] || { echo "$one"; return 0; }
	done
	return 1
}

etcd_case() {
	set -e
	# It begins when the server has looked for it in vain.
	(for ((i = 0; i < 200; i++)); do
		! grep -q 'etcd does not answer yet' api.log 2>/dev/null || break
		sleep 0.05
	done
	exec "$ETCD" --data-dir "$PWD/etcd" --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
		--listen-peer-urls http://127.0.0.1:2380) >etcd.log 2>&1 </dev/null 3>&- &
	local etcd=$!
	api_start --etcd-servers http://127.0.0.1:2379
	grep -c 'etcd does not answer yet' api.log
	k get ns -o name
	api_stop
	kill "$etcd"
	wait "$etcd" || true
	# Nothing is there, and a signal ends the wait.
	: >api.log
	"$TEU" --root "$PWD/root" --run "$PWD/run" apiserver --listen 127.0.0.1:6443 --etcd-servers http://127.0.0.1:2379 >api.log 2>&1 </dev/null 3>&- 8>&- &
	SERVER=$!
	for ((i = 0; i < 200; i++)); do
		! grep -q 'etcd does not answer yet.*127.0.0.1:2379' api.log || break
		sleep 0.05
	done
	api_stop
	echo "ended $?"
}

@test "apiserver: etcd that comes later is waited for" {
	ETCD=$(etcd_program) || skip "there is no etcd"
	export ETCD
	run alone etcd_case
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"namespace/kube-system"* ]]
	[ "${lines[-1]}" = "ended 0" ]
}

endpoints_are() { [ "$(k get endpoints kubernetes -o jsonpath='{.subsets[*].addresses[*].ip}' 2>/dev/null)" = "$*" ]; }

soon() { # COMMAND...: at most 20 s for it to succeed
	local i
	for ((i = 0; i < 100; i++)); do
		! "$@" || return 0
		sleep 0.2
	done
	return 1
}

two_case() {
	set -e
	local one two
	ip link add ve0 type veth peer name ve1
	ip addr add 10.9.8.1/24 dev ve0
	ip addr add 10.9.8.2/24 dev ve0
	ip link set ve0 up
	"$ETCD" --data-dir "$PWD/etcd" --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
		--listen-peer-urls http://127.0.0.1:2380 >etcd.log 2>&1 </dev/null 3>&- &
	local etcd=$!
	LISTEN="--listen 10.9.8.1:6443" api_start --etcd-servers http://127.0.0.1:2379
	one=$SERVER
	mkdir -m 755 two
	cd two
	LISTEN="--listen 10.9.8.2:6443" api_start --etcd-servers http://127.0.0.1:2379
	two=$SERVER
	cd ..
	soon endpoints_are 10.9.8.1 10.9.8.2
	k -n kube-system get cm extension-apiserver-authentication -o jsonpath='{.data.client-ca-file}' | grep -c BEGIN
	k create service nodeport s --tcp=80 --node-port=30123
	(cd two && fails_with "provided port is already allocated" k create service nodeport t --tcp=80 --node-port=30123)
	kill "$two"
	wait "$two"
	soon endpoints_are 10.9.8.1
	kill "$one"
	wait "$one"
	kill "$etcd"
	wait "$etcd" || true
	echo together
}

@test "apiserver: two of them over one etcd" {
	ETCD=$(etcd_program) || skip "there is no etcd"
	export ETCD
	run alone two_case
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 2 ]
	[ "${lines[-1]}" = together ]
}
