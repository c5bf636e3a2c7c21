#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Users of another issuer: its tokens by an AuthenticationConfiguration that is read again, by flags; who may be anonymous.

bats_require_minimum_version 1.5.0
TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
. "$TOP/tests/e2e/apiserver.bash"
ISSUER=https://127.0.0.1:7443

idp() { python3 "$TOP/tests/e2e/idp.py" "$@"; }
configure() { # FILE, further lines of the issuer's
	{
		printf 'apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\nanonymous: {enabled: true, conditions: [{path: /livez}]}\n'
		printf 'jwt:\n- issuer: {url: "%s", audiences: [teu], certificateAuthority: %s}\n' "$ISSUER" "$(jq -Rs . <"$DIR/idp/tls.pem")"
		cat
	} >"$1.new"
	mv "$1.new" "$1"
}

setup_file() {
	[ "$(id -u)" = 0 ] && [ -x "$TEU" ] && command -v "$KUBECTL" >/dev/null && command -v jq >/dev/null || return 0
	CONF=$(mktemp -d /tmp/teu-issuers-XXXXXX)
	chmod 755 "$CONF"
	printf 'apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n' >"$CONF/authn"
	api_file_start --authentication-config "$CONF/authn"
	export CONF
	python3 "$TOP/tests/e2e/idp.py" make "$DIR/idp" 7443
	idp key "$DIR/idp" k1
	nsenter -t "$SERVER" -n -- python3 "$TOP/tests/e2e/idp.py" serve "$DIR/idp" 7443 >"$DIR/idp.log" 2>&1 </dev/null 3>&- &
	IDP=$!
	export IDP
	local i
	for i in $(seq 100); do
		! within curl -sk "$ISSUER/keys" >/dev/null || break
		sleep 0.05
	done
}
teardown_file() {
	[ -n "${CONF:-}" ] || return 0
	kill "$IDP" || true
	wait "$IDP" || true
	rm -rf "$CONF"
	api_file_stop
}
setup() {
	[ -n "${CONF:-}" ] || skip "needs root, a built teu, jq and $KUBECTL"
	cd "$DIR" || return 1
}

who() { # TOKEN [PORT]: name and groups, or the code
	within curl -sk -H "Authorization: Bearer $1" -H 'Content-Type: application/json' --http1.1 \
		-d '{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}' \
		"https://127.0.0.1:${2:-6443}/apis/authentication.k8s.io/v1/selfsubjectreviews" | jq -c '.code // [.status.userInfo | .username, .uid, .groups]'
}
becomes() { # WANT TOKEN [PORT]
	local i
	for i in $(seq 150); do
		[ "$(who "${@:2}")" != "$1" ] || return 0
		sleep 0.1
	done
	echo "is $(who "${@:2}"), not $1"
	return 1
}

@test "tokens of an issuer are users by the rules of a configuration that is read again" {
	t=$(idp token "$DIR/idp" k1 '{"sub":"jo","team":["a","b"],"id":"7","tier":"gold"}')
	[ "$(who "$t")" = 401 ]
	configure "$CONF/authn" <<-END
		  claimValidationRules: [{claim: tier, requiredValue: gold}]
		  claimMappings: {username: {claim: sub, prefix: "idp:"}, groups: {claim: team, prefix: "idp:"}, uid: {claim: id}}
	END
	becomes '["idp:jo","7",["idp:a","idp:b","system:authenticated"]]' "$t"
	[ "$(who "$t")" = '["idp:jo","7",["idp:a","idp:b","system:authenticated"]]' ]
	one() { who "$(idp token "$DIR/idp" k1 "$1")"; }
	[ "$(one '{"sub":"al","team":"solo","id":"8","tier":"gold"}')" = '["idp:al","8",["idp:solo","system:authenticated"]]' ]
	[ "$(one '{"sub":"jo","id":"7","tier":"lead"}')" = 401 ]
	[ "$(one '{"sub":"jo","tier":"gold"}')" = 401 ]                                   # no uid
	[ "$(one '{"id":"7","tier":"gold"}')" = 401 ]                                     # no name
	[ "$(one '{"sub":"jo","id":"7","tier":"gold","aud":"other"}')" = 401 ]
	[ "$(one '{"sub":"jo","id":"7","tier":"gold","aud":["x","teu"]}')" = '["idp:jo","7",["system:authenticated"]]' ]
	[ "$(one '{"sub":"jo","id":"7","tier":"gold","exp":1}')" = 401 ]
	[ "$(one '{"sub":"jo","id":"7","tier":"gold","nbf":99999999999}')" = 401 ]
	[ "$(one '{"sub":"jo","id":"7","tier":"gold","iss":"https://127.0.0.1:7444"}')" = 401 ]
	[ "$(one '{"sub":"jo","id":"7","tier":"gold","team":[1]}')" = 401 ]
	[ "$(who "${t%?????}AAAAA")" = 401 ]
	says '"authenticated":true' kc create --raw /apis/authentication.k8s.io/v1/tokenreviews -f <(printf '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"%s"}}' "$t")
}

@test "expressions in CEL say who somebody is, and who may not be" {
	configure "$CONF/authn" <<-'END'
		  claimValidationRules: [{expression: 'claims.?tier.orValue("none") != "none"', message: "no tier"}]
		  claimMappings:
		    username: {expression: 'claims.email_verified ? "mail:" + claims.email : "sub:" + claims.sub'}
		    groups: {expression: 'claims.roles.split(",").map(r, "role:" + r)'}
		    uid: {expression: 'string(claims.n)'}
		    extra: [{key: "example.com/tier", valueExpression: 'claims.tier'}]
		  userValidationRules: [{expression: '!user.groups.exists(g, g.endsWith(":root"))', message: "no roots"}]
	END
	t=$(idp token "$DIR/idp" k1 '{"sub":"jo","email":"jo@x","email_verified":true,"roles":"a,b","n":7,"tier":"gold"}')
	becomes '["mail:jo@x","7",["role:a","role:b","system:authenticated"]]' "$t"
	one() { who "$(idp token "$DIR/idp" k1 "$1")"; }
	[ "$(one '{"sub":"jo","email_verified":false,"roles":"a","n":7,"tier":"gold"}')" = '["sub:jo","7",["role:a","system:authenticated"]]' ]
	[ "$(one '{"sub":"jo","email_verified":false,"roles":"a","n":7}')" = 401 ]
	[ "$(one '{"sub":"jo","email_verified":false,"roles":"root","n":7,"tier":"gold"}')" = 401 ]
	[ "$(one '{"sub":"jo","email_verified":false,"roles":"a","tier":"gold"}')" = 401 ]
	review() { kc create --raw /apis/authentication.k8s.io/v1/tokenreviews -f <(printf '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"%s"}}' "$1"); }
	says '"extra":{"example.com/tier":["gold"]}' review "$t"
	says "failed: no roots" review "$(idp token "$DIR/idp" k1 '{"sub":"jo","email_verified":false,"roles":"root","n":7,"tier":"gold"}')"
	configure "$CONF/authn" <<-END # as it was
		  claimValidationRules: [{claim: tier, requiredValue: gold}]
		  claimMappings: {username: {claim: sub, prefix: "idp:"}, groups: {claim: team, prefix: "idp:"}, uid: {claim: id}}
	END
	becomes '["idp:jo","7",["system:authenticated"]]' "$(idp token "$DIR/idp" k1 '{"sub":"jo","id":"7","tier":"gold"}')"
}

@test "anonymous requests are taken where the configuration says so" {
	within curl -sk https://127.0.0.1:6443/livez | grep -qx ok
	[ "$(within curl -sk https://127.0.0.1:6443/readyz | jq .code)" = 401 ]
	[ "$(within curl -sk https://127.0.0.1:6443/version | jq .code)" = 401 ]
}

@test "a key that is new is fetched, and a broken configuration changes nothing" {
	idp key "$DIR/idp" k2
	t=$(idp token "$DIR/idp" k2 '{"sub":"jo","id":"7","tier":"gold"}')
	sed 's/jwt:/jwd:/' "$CONF/authn" >"$CONF/authn.new"
	mv "$CONF/authn.new" "$CONF/authn"
	becomes '["idp:jo","7",["system:authenticated"]]' "$t"
	grep -q 'unknown field \\"jwd\\"\|unknown field "jwd"' "$DIR/log"
}

@test "by flags, and what is wrong is named" {
	t=$(idp token "$DIR/idp" k1 '{"sub":"jo","email":"jo@example.com","groups":["a"],"tier":"gold"}')
	mkfifo ready2
	exec 8<>ready2
	TEU_READY_FD=8 nsenter -t "$SERVER" -n -- "$TEU" --root "$DIR/r2" --run "$DIR/run2" apiserver --listen 127.0.0.1:6444 --oidc-issuer-url "$ISSUER" \
		--oidc-client-id teu --oidc-ca-file "$DIR/idp/tls.pem" --oidc-username-claim email --oidc-groups-claim groups --oidc-groups-prefix g: \
		--oidc-required-claim tier=gold --kubeconfig-out "$DIR/kc2" >log2 2>&1 </dev/null 3>&- &
	second=$!
	read -r -n1 -t 20 <&8
	exec 8>&-
	rc=0
	becomes '["jo@example.com",null,["g:a","system:authenticated"]]' "$t" 6444 || rc=1
	[ "$(who "$(idp token "$DIR/idp" k1 '{"sub":"jo","email":"jo@example.com","email_verified":false,"tier":"gold"}')" 6444)" = 401 ] || rc=1
	kill "$second"
	wait "$second" || true
	[ "$rc" = 0 ]
	refused() { fails_with "$1" "$TEU" --root "$DIR/r3" --run "$DIR/run3" apiserver --listen unix:///"$DIR"/r3.sock --authentication-config bad; }
	configure bad <<<'  claimMappings: {username: {expression: "claims.email"}}'
	refused "claims.email_verified must be used in"
	configure bad <<<'  claimMappings: {username: {expression: "claim.sub"}}'
	refused "undeclared reference to 'claim'"
	configure bad <<<'  claimMappings: {username: {claim: sub}}'
	refused "jwt[0].claimMappings.username: claim and prefix go together"
	configure bad <<<'  nope: 1'
	refused 'jwt[0]: unknown field "nope"'
	fails_with "must be an https URL" "$TEU" --root "$DIR/r3" --run "$DIR/run3" apiserver --listen unix:///"$DIR"/r3.sock --oidc-issuer-url http://x --oidc-client-id c
	fails_with "go with --oidc-issuer-url" "$TEU" apiserver --oidc-client-id c
}
