/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes' libraries for CEL: what their documentation promises, and what is refused. */
#include "cel-check.h"

struct row {
	const char *expr;
	const char *error; /* NULL: it is true */
};

static size_t run_rows(const struct row *rows, size_t n)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		struct cel_value v = cel_null();
		struct cel_test t;
		int r;

		test_init(&t, 0);
		r = test_eval(&t, t.env, rows[i].expr, &v);
		if (rows[i].error ? r == 0 || !strstr(t.err.msg, rows[i].error)
				  : r < 0 || v.kind != CEL_T_BOOL || !v.b) {
			print_error("%s: %s\n", rows[i].expr,
				    r < 0 ? t.err.msg : "no error, or false");
			bad++;
		}
		test_fini(&t);
	}
	return bad;
}

#define RUN(rows) assert_int_equal(run_rows(rows, ARRAY_LEN(rows)), 0)

static void lists(void **state)
{
	static const struct row rows[] = {
		{ "[1, 2, 3].isSorted()", NULL },
		{ "!['b', 'a'].isSorted() && [].isSorted() && [1.0].isSorted()", NULL },
		{ "[1, 3].sum() == 4 && [1u, 3u].sum() == 4u && [1.5, 0.5].sum() == 2.0", NULL },
		{ "[duration('1m'), duration('1s')].sum() == duration('1m1s')", NULL },
		{ "[].sum() == 0", NULL },
		{ "[9223372036854775807, 1].sum() == 0", "integer overflow" },
		{ "[1, 3].min() == 1 && [1, 3].max() == 3 && ['b', 'a'].max() == 'b'", NULL },
		{ "[].max() == 0", "max called on empty list" },
		{ "[1, 2, 2, 3].indexOf(2) == 1 && [1, 2, 2, 3].lastIndexOf(2) == 2", NULL },
		{ "[1].indexOf(5) == -1", NULL },
		{ "[1, 2].slice(0, 1) == [1] && [1, 2].reverse() == [2, 1]", NULL },
		{ "[1].slice(0, 2) == []", "cannot slice(0, 2), list is length 1" },
		{ "[1].slice(-1, 0) == []", "negative indexes not supported" },
		{ "[[1], [2, 3]].flatten() == [1, 2, 3]", NULL },
		{ "[1, 2, 2].distinct() == [1, 2] && lists.range(3) == [0, 1, 2]", NULL },
		{ "[3, 1, 2].sort() == [1, 2, 3] && ['b', 'a'].sort() == ['a', 'b']", NULL },
		{ "['ccc', 'a', 'bb'].sortBy(s, s.size()) == ['a', 'bb', 'ccc']", NULL },
		{ "[1, 2].first().value() == 1 && [1, 2].last().value() == 2", NULL },
		{ "!dyn([]).first().hasValue()", NULL },
		{ "sets.contains([1, 2], [2]) && sets.contains([], [])", NULL },
		{ "sets.equivalent([1, 2, 2], [2, 1]) && !sets.intersects([1], [2])", NULL },
	};

	(void)state;
	RUN(rows);
}

static void strings_and_patterns(void **state)
{
	static const struct row rows[] = {
		{ "'abc 123'.find('[0-9]+') == '123' && 'abc'.find('[0-9]+') == ''", NULL },
		{ "'123 abc 456'.findAll('[0-9]+') == ['123', '456']", NULL },
		{ "'123 abc 456'.findAll('[0-9]+', 1) == ['123']", NULL },
		{ "'123 abc 456'.findAll('[0-9]+', 0) == []", NULL },
		{ "'aab'.find('a+?') == 'a' && 'aab'.find('a|aa') == 'a'", NULL },
		{ "'aab'.find('(?U)a+') == 'a' && 'abcabc'.find('b.*?c') == 'bc'", NULL },
		{ "'baac'.findAll('a*') == ['', 'aa', '']", NULL },
		{ "'x\\u00e4y'.findAll('') == ['', '', '', '']", NULL },
		{ "'a.b'.findAll('\\\\b') == ['', '', '', '']", NULL },
		{ "'abc'.matches('[')", "invalid matches argument: error parsing regexp" },
		{ "'abc'.matches('a' + '[')", "missing closing ]" },
		{ "'h\\u00e4 '.trim().size() == 2 && 'TacoCat'.lowerAscii() == 'tacocat'", NULL },
		{ "'tacocat'.substring(0, 4) == 'taco' && 'tacocat'.charAt(7) == ''", NULL },
		{ "'tacocat'.substring(9) == ''", "index out of range: 9" },
		{ "'hello hello'.replace('he', 'we', 1) == 'wello hello'", NULL },
		{ "'ab'.replace('', '-') == '-a-b-'", NULL },
		{ "'a,b,c'.split(',', 2) == ['a', 'b,c'] && 'ab'.split('') == ['a', 'b']", NULL },
		{ "''.split('') == [] && ''.split(',') == ['']", NULL },
		{ "['a', 'b'].join('/') == 'a/b' && [].join() == ''", NULL },
		{ "'%s has %d'.format(['x', 3]) == 'x has 3'", NULL },
		{ "'%d'.format([]) == ''", "index 0 out of range" },
		{ "'%y'.format([1]) == ''", "unrecognized formatting clause" },
	};

	(void)state;
	RUN(rows);
}

static void urls(void **state)
{
	static const struct row rows[] = {
		{ "isURL('https://user:pass@example.com:80/path?query=val#fragment')", NULL },
		{ "isURL('/absolute-path') && !isURL('https://a:b:c/') && !isURL('../relative')",
		  NULL },
		{ "url('/path').getScheme() == '' && url('HTTPS://x').getScheme() == 'https'",
		  NULL },
		{ "url('https://example.com:80/').getHost() == 'example.com:80'", NULL },
		{ "url('https://[::1]:80/').getHost() == '[::1]:80'", NULL },
		{ "url('https://[::1]:80/').getHostname() == '::1'", NULL },
		{ "url('https://[::1]:80/').getPort() == '80' && url('/p').getPort() == ''", NULL },
		{ "url('https://example.com/path with spaces/').getEscapedPath() == "
		  "'/path%20with%20spaces/'",
		  NULL },
		{ "url('https://example.com/?k1=a&k2=b&k2=c').getQuery() == {'k1': ['a'], 'k2': "
		  "['b', 'c']}",
		  NULL },
		{ "url('https://example.com/?k=has+spaces%21').getQuery()['k'] == ['has spaces!']",
		  NULL },
		{ "url('https://example.com/path').getQuery() == {}", NULL },
		{ "url('https://example.com/') == url('https://example.com/')", NULL },
		{ "url('x y') == url('/')", "URL parse error during conversion from string" },
		{ "isURL('https://a/%zz')", NULL },
	};

	(void)state;
	assert_int_equal(run_rows(rows, ARRAY_LEN(rows) - 1), 0);
	/* The last is none: an escape that is not whole. */
	assert_int_equal(run_rows(&rows[ARRAY_LEN(rows) - 1], 1), 1);
}

static void quantities(void **state)
{
	static const struct row rows[] = {
		{ "isQuantity('1.3G') && isQuantity('1e3') && isQuantity('-0.5Mi')", NULL },
		{ "!isQuantity('1.3GiB') && !isQuantity('1,3G') && !isQuantity('10000k.')", NULL },
		{ "!isQuantity('') && !isQuantity('k') && !isQuantity('1e') && !isQuantity('1 ')",
		  NULL },
		{ "quantity('150Mi').isGreaterThan(quantity('150M'))", NULL },
		{ "quantity('50M').isLessThan(quantity('50Mi'))", NULL },
		{ "quantity('50M') == quantity('50000k') && quantity('1') != quantity('1m')",
		  NULL },
		{ "quantity('200M').compareTo(quantity('0.2G')) == 0", NULL },
		{ "quantity('50000000G').isInteger() && !quantity('50k500m'.replace('k', "
		  "'')).isInteger()",
		  NULL },
		{ "quantity('50k').asInteger() == 50000", NULL },
		{ "quantity('9999999999999999999999999999999999999G').asInteger() == "
		  "9223372036854775807",
		  NULL },
		{ "quantity('1.5').asInteger() == 1", "cannot convert value to integer" },
		{ "quantity('50.703k').asApproximateFloat() == 50703.0", NULL },
		{ "quantity('0.5Ki').asInteger() == 512 && quantity('1.5Ei').asInteger() == "
		  "1729382256910270464",
		  NULL },
		{ "quantity('50k').add(quantity('20')) == quantity('50020')", NULL },
		{ "quantity('50k').sub(20000) == quantity('30k')", NULL },
		{ "quantity('0.1n') == quantity('1n') && quantity('-0.1n') == quantity('-1n')",
		  NULL },
		{ "sign(quantity('-1')) == -1 && quantity('0').sign() == 0", NULL },
		{ "quantity('x') == quantity('1')",
		  "quantities must match the regular expression" },
	};

	(void)state;
	RUN(rows);
}

static void addresses(void **state)
{
	static const struct row rows[] = {
		{ "isIP('127.0.0.1') && isIP('::1') && !isIP('127.0.0.256') && "
		  "!isIP('fe80::1%eth0')",
		  NULL },
		{ "!isIP('::ffff:1.2.3.4') && !isIP('01.2.3.4') && !isIP('')", NULL },
		{ "ip.isCanonical('2001:db8::abcd') && !ip.isCanonical('2001:DB8::ABCD')", NULL },
		{ "!ip.isCanonical('2001:db8:0:0:0:0:0:1') && ip.isCanonical('::1:2')", NULL },
		{ "ip('127.0.0.1').family() == 4 && ip('::1').family() == 6", NULL },
		{ "ip('0.0.0.0').isUnspecified() && ip('127.3.0.1').isLoopback()", NULL },
		{ "ip('224.0.0.1').isLinkLocalMulticast() && ip('ff02::1').isLinkLocalMulticast()",
		  NULL },
		{ "ip('fe80::1').isLinkLocalUnicast() && ip('8.8.8.8').isGlobalUnicast()", NULL },
		{ "!ip('255.255.255.255').isGlobalUnicast()", NULL },
		{ "string(ip('2001:db8::0:1')) == '2001:db8::1' && string(ip('::1.2.3.4')) == "
		  "'::102:304'",
		  NULL },
		{ "cidr('192.168.0.0/24').containsIP('192.168.0.1')", NULL },
		{ "cidr('192.168.0.0/16').containsCIDR('192.168.10.0/24')", NULL },
		{ "!cidr('192.168.0.0/24').containsCIDR(cidr('192.168.0.0/16'))", NULL },
		{ "cidr('192.168.0.1/24').ip() == ip('192.168.0.1')", NULL },
		{ "cidr('192.168.0.1/23').masked() == cidr('192.168.0.0/23')", NULL },
		{ "string(cidr('::1/64').masked()) == '::/64'", NULL },
		{ "cidr('::1/128').prefixLength() == 128 && isCIDR('::/0') && "
		  "!isCIDR('1.2.3.4/33')",
		  NULL },
		{ "!isCIDR('1.2.3.4/08') && !isCIDR('1.2.3.4') && !isCIDR('::/+1')", NULL },
		{ "ip('x') == ip('y')", "parse error during conversion from string" },
		{ "ip('fe80::1%1') == ip('::')", "with zone value is not allowed" },
		{ "ip('::ffff:1.2.3.4').family() == 6", "IPv4-mapped IPv6 address" },
		{ "cidr('x').prefixLength() == 1", "network address parse error" },
	};

	(void)state;
	RUN(rows);
}

static void versions(void **state)
{
	static const struct row rows[] = {
		{ "isSemver('1.0.0') && !isSemver('v1.0.0') && !isSemver('1.0') && !isSemver('')",
		  NULL },
		{ "isSemver('v1.0', true) && isSemver('01.02.03', true) && !isSemver('1-a', true)",
		  NULL },
		{ "semver('v1', true) == semver('1.0.0')", NULL },
		{ "semver('1.2.3').major() == 1 && semver('1.2.3').minor() == 2", NULL },
		{ "semver('1.2.3-a.b+c').patch() == 3", NULL },
		{ "semver('0.0.1').isLessThan(semver('0.0.2'))", NULL },
		{ "semver('1.0.0').isGreaterThan(semver('1.0.0-rc.1'))", NULL },
		{ "semver('1.0.0-alpha').isLessThan(semver('1.0.0-alpha.1'))", NULL },
		{ "semver('1.0.0-alpha.1').isLessThan(semver('1.0.0-alpha.beta'))", NULL },
		{ "semver('1.0.0-beta.2').compareTo(semver('1.0.0-beta.11')) == -1", NULL },
		{ "semver('1.0.0+a') == semver('1.0.0+b')", NULL },
		{ "!isSemver('1.01.0') && !isSemver('1.0.0-01') && isSemver('1.0.0+01')", NULL },
		{ "!isSemver('1.0.0-') && !isSemver('1.0.0-a..b') && !isSemver('1.0.0.0')", NULL },
		{ "semver('x').major() == 1", "no semantic version: x" },
	};

	(void)state;
	RUN(rows);
}

static void formats(void **state)
{
	static const struct row rows[] = {
		{ "!format.dns1123Label().validate('my-name').hasValue()", NULL },
		{ "format.dns1123Label().validate('My').value()[0].startsWith('a lowercase RFC "
		  "1123')",
		  NULL },
		{ "!format.dns1123LabelPrefix().validate('my-').hasValue()", NULL },
		{ "!format.dns1123Subdomain().validate('a.b').hasValue()", NULL },
		{ "!format.dns1123SubdomainPrefix().validate('a.b-').hasValue()", NULL },
		{ "format.dns1035Label().validate('1a').hasValue()", NULL },
		{ "!format.dns1035LabelPrefix().validate('a-').hasValue()", NULL },
		{ "!format.qualifiedName().validate('a.b/c_D').hasValue()", NULL },
		{ "format.qualifiedName().validate('/x').value() == ['prefix part must be "
		  "non-empty']",
		  NULL },
		{ "!format.labelValue().validate('').hasValue()", NULL },
		{ "format.labelValue().validate('-').hasValue()", NULL },
		{ "!format.uri().validate('https://a/').hasValue()", NULL },
		{ "!format.uuid().validate('123e4567-e89b-12d3-a456-426614174000').hasValue()",
		  NULL },
		{ "format.byte().validate('a').value() == ['invalid base64']", NULL },
		{ "!format.byte().validate('aGVsbG8=').hasValue()", NULL },
		{ "!format.date().validate('2021-01-31').hasValue()", NULL },
		{ "format.date().validate('2021-02-29').value() == ['invalid date']", NULL },
		{ "!format.datetime().validate('2021-01-01T00:00:00Z').hasValue()", NULL },
		{ "format.named('uuid').hasValue() && !format.named('x').hasValue()", NULL },
		{ "format.named('date').value() == format.date()", NULL },
		{ "format.none()", "undeclared reference to 'format' (in container '')" },
	};

	(void)state;
	RUN(rows);
}

/* ---- authorizer ---- */

static int decide(void *arg, const struct cel_check *c, struct arena *a, struct cel_decision *ret,
		  struct err *err)
{
	struct cel_check *seen = arg;

	(void)a;
	*seen = *c;
	if (slice_is(c->verb, "break"))
		return err_set(err, ERR_UNAVAILABLE, "no authorizer answers");
	*ret = (struct cel_decision){ .allowed = slice_is(c->verb, "get"),
				      .reason = SLICE("because") };
	return 0;
}

static int ask(struct cel_test *t, const char *text, struct cel_check *seen, struct cel_value *ret)
{
	struct cel_authorizer z = { decide, seen };

	test_init(t, 0);
	assert_int_equal(cel_env_var(t->env, "authorizer", cel_type_of(CEL_T_AUTHORIZER), NULL), 0);
	t->v[0] = cel_authorizer(&z, t->a);
	t->vars.n = 1;
	return test_eval(t, t->env, text, ret);
}

static void the_authorizer_is_the_callers(void **state)
{
	struct cel_check seen;
	struct cel_value v;
	struct cel_test t;

	(void)state;
	assert_int_equal(ask(&t,
			     "authorizer.serviceAccount('ns', 'sa').group('apps').resource("
			     "'deployments').subresource('status').namespace('n').name('x')"
			     ".fieldSelector('a=b').labelSelector('c').check('get').allowed()",
			     &seen, &v),
			 0);
	assert_true(v.b && seen.on_resource);
	assert_true(slice_is(seen.group, "apps") && slice_is(seen.resource, "deployments") &&
		    slice_is(seen.subresource, "status") && slice_is(seen.ns, "n") &&
		    slice_is(seen.name, "x") && slice_is(seen.sa_namespace, "ns") &&
		    slice_is(seen.sa_name, "sa") && slice_is(seen.field_selector, "a=b") &&
		    slice_is(seen.label_selector, "c"));
	assert_in_range(t.budget.used, 350000, 350200);
	test_fini(&t);

	assert_int_equal(ask(&t, "authorizer.path('/x').check('post').reason()", &seen, &v), 0);
	assert_true(slice_is(cel_slice(&v), "because") && slice_is(seen.path, "/x"));
	test_fini(&t);

	assert_int_equal(ask(&t, "authorizer.path('/x').check('break').allowed()", &seen, &v),
			 -ERR_INVALID);
	assert_string_equal(t.err.msg, "no authorizer answers");
	test_fini(&t);

	assert_int_equal(ask(&t, "authorizer.path(' ').check('get').allowed()", &seen, &v),
			 -ERR_INVALID);
	assert_string_equal(t.err.msg, "path must not be empty");
	test_fini(&t);
	assert_int_equal(
		ask(&t, "authorizer.group('').resource('').check('get').allowed()", &seen, &v),
		-ERR_INVALID);
	assert_string_equal(t.err.msg, "resource must not be empty");
	test_fini(&t);

	/* Two checks fit into a call, three do not. */
	assert_int_equal(ask(&t, "['a', 'b', 'c'].all(p, !authorizer.path(p).check('x').allowed())",
			     &seen, &v),
			 -ERR_TOO_LARGE);
	test_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),     cmocka_unit_test(strings_and_patterns),
		cmocka_unit_test(urls),	     cmocka_unit_test(quantities),
		cmocka_unit_test(addresses), cmocka_unit_test(versions),
		cmocka_unit_test(formats),   cmocka_unit_test(the_authorizer_is_the_callers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
