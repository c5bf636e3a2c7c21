# SPDX-License-Identifier: Apache-2.0
# The kernel's TLS: what we send is sealed by it (tests/unit/crypto/test-tls-kernel.c; our server and our client), where
# the machine of the other tests has none.
# modules: crypto_simd cryptd gf128mul ghash-generic ctr gcm libaes aesni-intel libpoly1305 libchacha chacha_generic poly1305_generic chacha20poly1305 tls
# programs: tests/unit/crypto/test-tls-kernel tests/tls-peer

# Some are built in or not needed by this kernel: the tests tell.
for m in "$VM_TOP"/extra/modules/*.ko; do
	insmod "$m" 2>/dev/null || true
done
export LD_LIBRARY_PATH=$VM_TOP/extra/lib
echo "1..6"
if grep -qw tls /proc/modules || grep -qw tls /proc/sys/net/ipv4/tcp_available_ulp; then
	echo "ok 1 the kernel has TLS"
else
	echo "not ok 1 the kernel has TLS"
fi
CMOCKA_MESSAGE_OUTPUT=TAP "$VM_TOP/extra/test-tls-kernel" >/tmp/tls.tap 2>/tmp/tls.err
# Skipped here is as good as failed.
sed -n 's/^\(not \)\?ok [0-9]* - \(.*\)/\1 \2/p' /tmp/tls.tap | {
	n=1
	while read -r line; do
		n=$((n + 1))
		case $line in
		'not '* | *'# SKIP'*) echo "not ok $n ${line#not }" ;;
		*) echo "ok $n $line" ;;
		esac
	done
	[ $n = 5 ] || echo "not ok 5 all cases ran ($n)"
}
grep -v '^\(ok\|1\.\.\)' /tmp/tls.tap /tmp/tls.err | sed 's/^/# /' | tail -20

# Connections whose sending is the kernel's, as it counts them itself.
counted() { awk '$1 == "TlsTxSw" { print $2 }' /proc/net/tls_stat; }

served() {
	local peer=$VM_TOP/extra/tls-peer before i
	mkdir /tmp/certs
	"$peer" make /tmp/certs
	mkfifo /tmp/in
	"$peer" serve --cert /tmp/certs/server.pem --key /tmp/certs/server.key 127.0.0.1:4443 </tmp/in >/tmp/peer.log 2>&1 &
	exec 9>/tmp/in
	for ((i = 0; i < 600; i++)); do
		! grep -q ^ready /tmp/peer.log || break
		sleep 0.1
	done
	before=$(counted)
	"$peer" get --ca /tmp/certs/ca.pem --times 3 https://127.0.0.1:4443 | grep -c '^200 version=1.3'
	echo "$(($(counted) - before)) by the kernel"
	exec 9>&-
	wait
}

ip link set lo up
served >/tmp/served 2>&1
if [ "$(echo $(cat /tmp/served))" = "3 3 by the kernel" ]; then
	echo "ok 6 our server sends by the kernel"
else
	echo "not ok 6 our server sends by the kernel"
	sed 's/^/# /' /tmp/served /tmp/peer.log
fi
