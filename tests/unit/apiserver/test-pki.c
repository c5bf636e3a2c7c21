/* SPDX-License-Identifier: Apache-2.0 */
/* The server's own certificates: what is made, kept, renewed, mended after a crash, refused; and
 * kubeconfigs. */
#include "../doc/doc-check.h"

#include "apiserver/pki.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "crypto/key.h"
#include "crypto/x509.h"
#include "doc/yaml.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DAY 86400LL

struct place {
	char path[32];
	int fd;
};

static struct place place(void)
{
	struct place p = { .path = "/tmp/teu-pki-XXXXXX" };

	assert_non_null(mkdtemp(p.path));
	p.fd = open(p.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return p;
}

static void place_fini(struct place *p)
{
	close(p->fd);
	assert_int_equal(fd_remove_tree(AT_FDCWD, p->path, NULL), 0);
}

static const char *const names[] = { "box", "10.0.0.5", "10.96.0.1", NULL };

static int64_t now_s(void)
{
	return clock_real() / NS_PER_SEC;
}

static struct pki *must_open(const struct place *at, const char *const *n, int64_t now)
{
	const struct pki_conf conf = { .dirfd = at->fd, .names = n, .now = now };
	struct err err = ERR_INIT;
	struct pki *p;

	if (pki_open(&conf, &p, &err) < 0)
		fail_msg("%s", err.msg);
	return p;
}

static const char *serial(const struct pki *p, enum pki_id id)
{
	return cert_info(pki_cert(p, id))->serial;
}

/* Every certificate goes with its key and verifies up to its CA. */
static void assert_sound(const struct pki *p, int64_t now)
{
	CLEANUP(cert_pool_unref) struct cert_pool *ca = cert_pool_new();
	CLEANUP(cert_pool_unref) struct cert_pool *front = cert_pool_new();

	cert_pool_add(ca, pki_cert(p, PKI_CA));
	cert_pool_add(front, pki_cert(p, PKI_FRONT_CA));
	for (unsigned i = 0; i < PKI_N; i++) {
		CLEANUP(key_unref) struct key *k = NULL;
		struct cert *c = pki_cert(p, i);
		struct err err = ERR_INIT;
		const struct cert_check check = {
			.pool = pki_issuer(i) == PKI_CA ? ca : front,
			.chain = &c,
			.chain_n = 1,
			.purpose = pki_issuer(i) == i ? CERT_FOR_ANY
				   : i == PKI_SERVING ? CERT_FOR_SERVER
						      : CERT_FOR_CLIENT,
			.at = now,
		};

		assert_int_equal(cert_key(c, &k, NULL), 0);
		assert_true(key_matches(k, pki_key(p, i)));
		assert_int_equal(key_type(k), KEY_P256);
		if (cert_verify(&check, &err) < 0)
			fail_msg("%s: %s", pki_name(i), err.msg);
	}
}

static void a_first_start_makes_all_of_it(void **state)
{
	struct place at = place();
	int64_t now = now_s();
	CLEANUP(pki_free) struct pki *p = must_open(&at, names, 0);
	const struct cert_info *admin = cert_info(pki_cert(p, PKI_ADMIN));
	const struct cert *serving = pki_cert(p, PKI_SERVING);
	static const char *const served[] = { "kubernetes",
					      "kubernetes.default",
					      "kubernetes.default.svc",
					      "kubernetes.default.svc.cluster.local",
					      "localhost",
					      "127.0.0.1",
					      "::1",
					      "box",
					      "10.0.0.5",
					      "10.96.0.1" };
	struct stat st;

	assert_sound(p, now);
	for (size_t i = 0; i < ARRAY_LEN(served); i++)
		assert_true(cert_is_for(serving, served[i]));
	assert_false(cert_is_for(serving, "example.org"));
	assert_string_equal(admin->names.cn, "kubernetes-admin");
	assert_string_equal(admin->names.o.v[0], "system:masters");
	assert_string_equal(cert_info(pki_cert(p, PKI_SCHEDULER))->names.cn,
			    "system:kube-scheduler");
	assert_in_range(admin->not_after, now + PKI_LIFE - 60, now + PKI_LIFE + 60);
	assert_in_range(cert_info(pki_cert(p, PKI_CA))->not_after, now + PKI_CA_LIFE - 60,
			now + PKI_CA_LIFE + 60);
	assert_true(key_is_private(pki_account_key(p)));

	assert_int_equal(fstatat(at.fd, "pki", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	for (unsigned i = 0; i < PKI_N; i++) {
		char file[64];

		(void)snprintf(file, sizeof(file), "pki/%s.key", pki_name(i));
		assert_int_equal(fstatat(at.fd, file, &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	place_fini(&at);
}

static void a_second_start_keeps_it(void **state)
{
	struct place at = place();
	CLEANUP(pki_free) struct pki *p = must_open(&at, names, 0);
	CLEANUP(pki_free) struct pki *again = must_open(&at, names, 0);
	CLEANUP(pki_free) struct pki *seen = NULL;

	for (unsigned i = 0; i < PKI_N; i++)
		assert_string_equal(serial(p, i), serial(again, i));
	assert_true(key_matches(pki_account_key(p), pki_account_key(again)));
	assert_int_equal(pki_read(at.fd, &seen, NULL), 0);
	for (unsigned i = 0; i < PKI_N; i++)
		assert_string_equal(serial(p, i), serial(seen, i));
	place_fini(&at);
}

static void reading_makes_nothing(void **state)
{
	struct place at = place();
	CLEANUP(pki_free) struct pki *p = NULL;
	struct cert *c;
	struct key *k;
	struct err err = ERR_INIT;
	const struct pki_client who = { .user = "x", .now = now_s(), .life = 60 };

	assert_int_equal(pki_read(at.fd, &p, NULL), 0);
	assert_null(pki_cert(p, PKI_CA));
	assert_int_equal(faccessat(at.fd, "pki", F_OK, 0), -1);
	assert_int_equal(pki_issue(p, &who, &c, &k, &err), -ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "start the API server once"));
	place_fini(&at);
}

static void another_name_makes_a_serving_certificate_only(void **state)
{
	static const char *const more[] = { "box", "10.0.0.9", NULL };
	struct place at = place();
	CLEANUP(pki_free) struct pki *p = must_open(&at, names, 0);
	CLEANUP(pki_free) struct pki *again = must_open(&at, more, 0);
	CLEANUP(pki_free) struct pki *offline = NULL;
	const struct pki_conf conf = { .dirfd = at.fd };

	for (unsigned i = 0; i < PKI_N; i++)
		assert_int_equal(strcmp(serial(p, i), serial(again, i)) != 0, i == PKI_SERVING);
	assert_true(cert_is_for(pki_cert(again, PKI_SERVING), "10.0.0.9"));
	/* who does not know the names renews with those that it had */
	assert_int_equal(pki_open(&conf, &offline, NULL), 0);
	assert_string_equal(serial(again, PKI_SERVING), serial(offline, PKI_SERVING));
	assert_int_equal(pki_renew(offline, PKI_SERVING, now_s(), NULL), 0);
	assert_string_not_equal(serial(again, PKI_SERVING), serial(offline, PKI_SERVING));
	assert_true(cert_is_for(pki_cert(offline, PKI_SERVING), "10.0.0.9"));
	assert_true(cert_is_for(pki_cert(offline, PKI_SERVING), "kubernetes.default.svc"));
	place_fini(&at);
}

static void what_has_a_third_of_its_life_left_is_renewed(void **state)
{
	struct place at = place();
	int64_t now = now_s();
	CLEANUP(pki_free) struct pki *p = must_open(&at, names, now);
	char admin[64], ca[64];
	unsigned made;

	(void)str_copy(admin, sizeof(admin), serial(p, PKI_ADMIN));
	(void)str_copy(ca, sizeof(ca), serial(p, PKI_CA));
	assert_in_range(pki_next(p), now + 242 * DAY, now + 244 * DAY);
	assert_int_equal(pki_renew_due(p, pki_next(p) - 10, &made, NULL), 0);
	assert_int_equal(made, 0);
	assert_int_equal(pki_renew_due(p, now + 244 * DAY, &made, NULL), 0);
	assert_int_equal(made, ((1u << PKI_N) - 1) & ~(1u << PKI_CA) & ~(1u << PKI_FRONT_CA));
	assert_string_not_equal(admin, serial(p, PKI_ADMIN));
	assert_string_equal(ca, serial(p, PKI_CA));
	assert_sound(p, now + 244 * DAY);
	/* so does a start after a long time */
	{
		CLEANUP(pki_free) struct pki *late = must_open(&at, names, now + 2000 * DAY);

		assert_string_equal(ca, serial(late, PKI_CA));
		assert_sound(late, now + 2000 * DAY);
	}
	place_fini(&at);
}

/* What it signed before is good with the renewed one, and the other way round. */
static void a_renewed_ca_keeps_its_key(void **state)
{
	struct place at = place();
	int64_t now = now_s(), then = now + 2450 * DAY;
	CLEANUP(pki_free) struct pki *p = must_open(&at, names, now);
	CLEANUP(cert_unref) struct cert *old_ca = cert_ref(pki_cert(p, PKI_CA));
	CLEANUP(cert_unref) struct cert *old = cert_ref(pki_cert(p, PKI_ADMIN));
	unsigned made;

	assert_int_equal(pki_renew_due(p, then, &made, NULL), 0);
	assert_int_equal(made, (1u << PKI_N) - 1);
	assert_sound(p, then);
	assert_true(cert_is_issued_by(old, pki_cert(p, PKI_CA)));
	assert_true(cert_is_issued_by(pki_cert(p, PKI_ADMIN), old_ca));
	place_fini(&at);
}

static void copy(const struct place *at, const char *from, const char *to)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);
	char path[64];

	(void)snprintf(path, sizeof(path), "pki/%s", from);
	assert_int_equal(fd_read_file(at->fd, path, &b, NULL), 0);
	(void)snprintf(path, sizeof(path), "pki/%s", to);
	assert_int_equal(fd_replace_file(at->fd, path, b.p, b.n, 0600, NULL), 0);
}

static void halves_of_a_renewal_are_mended(void **state)
{
	struct place at = place();
	CLEANUP(pki_free) struct pki *p = must_open(&at, names, 0);
	CLEANUP(pki_free) struct pki *again = NULL;

	copy(&at, "scheduler.key", "admin.key"); /* the key is new, the certificate is not */
	assert_int_equal(unlinkat(at.fd, "pki/scheduler.crt", 0), 0);
	assert_int_equal(unlinkat(at.fd, "pki/apiserver.key", 0), 0);
	assert_int_equal(unlinkat(at.fd, "pki/sa.pub", 0), 0);
	again = must_open(&at, names, 0);
	assert_sound(again, now_s());
	assert_string_equal(serial(p, PKI_CA), serial(again, PKI_CA));
	assert_string_equal(serial(p, PKI_CONTROLLER_MANAGER),
			    serial(again, PKI_CONTROLLER_MANAGER));
	assert_true(key_matches(pki_account_key(p), pki_account_key(again)));
	assert_int_equal(faccessat(at.fd, "pki/sa.pub", F_OK, 0), 0);
	/* its key was there before: it is used */
	assert_true(key_matches(pki_key(p, PKI_SCHEDULER), pki_key(again, PKI_SCHEDULER)));
	place_fini(&at);
}

static void a_ca_that_lost_its_key_is_not_replaced(void **state)
{
	struct place at = place();
	const struct pki_conf conf = { .dirfd = at.fd, .names = names };
	struct pki *p = must_open(&at, names, 0), *again;
	struct err err = ERR_INIT;
	char ca[64];

	(void)str_copy(ca, sizeof(ca), serial(p, PKI_CA));
	copy(&at, "front-proxy-ca.key", "ca.key");
	assert_int_equal(pki_open(&conf, &again, &err), -ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "'pki/ca.key' is not the key of 'ca.crt'"));
	assert_int_equal(unlinkat(at.fd, "pki/ca.key", 0), 0);
	err = ERR_INIT;
	assert_int_equal(pki_open(&conf, &again, &err), -ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "but no 'ca.key': put it back"));
	pki_free(p);
	assert_int_equal(pki_read(at.fd, &p, NULL), 0);
	assert_string_equal(ca, serial(p, PKI_CA));
	pki_free(p);
	place_fini(&at);
}

static void a_damaged_file_is_named(void **state)
{
	struct place at = place();
	const struct pki_conf conf = { .dirfd = at.fd, .names = names };
	struct pki *again;
	struct err err = ERR_INIT;

	pki_free(must_open(&at, names, 0));
	assert_int_equal(fd_replace_file(at.fd, "pki/admin.crt", "x", 1, 0600, NULL), 0);
	assert_true(pki_open(&conf, &again, &err) < 0);
	assert_non_null(strstr(err.msg, "certificates: 'pki/admin.crt'"));
	copy(&at, "sa.pub", "sa.key");
	copy(&at, "scheduler.crt", "admin.crt");
	err = ERR_INIT;
	assert_int_equal(pki_open(&conf, &again, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "'pki/sa.key' has no private key"));
	place_fini(&at);
}

/* A CA that an administrator put there is used, and goes on under its own name. */
static void a_ca_of_ones_own_is_used(void **state)
{
	static const char *const org[] = { "Example" };
	struct place at = place();
	CLEANUP(key_unref) struct key *k = NULL;
	CLEANUP(cert_unref) struct cert *ca = NULL;
	CLEANUP(pki_free) struct pki *p = NULL;
	CLEANUP(buf_fini) struct buf pem = BUF_INIT(65536);
	int64_t now = now_s();
	const struct cert_spec spec = { .names = { .cn = "ours", .o = { org, 1 } },
					.not_before = now - 100,
					.not_after = now + 100 * DAY,
					.ca = true,
					.path_len = -1 };

	assert_int_equal(key_generate(KEY_P256, 0, &k, NULL), 0);
	assert_int_equal(cert_make(&spec, k, NULL, k, &ca, NULL), 0);
	assert_int_equal(fd_mkdir_p(at.fd, "pki", 0700, NULL), 0);
	assert_int_equal(cert_write_pem(ca, &pem, NULL), 0);
	assert_int_equal(fd_replace_file(at.fd, "pki/ca.crt", pem.p, pem.n, 0600, NULL), 0);
	buf_clear(&pem);
	assert_int_equal(key_write_pem(k, KEY_PRIVATE_PKCS8, &pem, NULL), 0);
	assert_int_equal(fd_replace_file(at.fd, "pki/ca.key", pem.p, pem.n, 0600, NULL), 0);
	p = must_open(&at, names, now);
	assert_sound(p, now);
	assert_string_equal(cert_info(pki_cert(p, PKI_CA))->serial, cert_info(ca)->serial);
	/* what outlives it is no use */
	assert_true(cert_info(pki_cert(p, PKI_ADMIN))->not_after <= now + 100 * DAY);
	assert_int_equal(pki_renew(p, PKI_CA, now, NULL), 0);
	assert_string_equal(cert_info(pki_cert(p, PKI_CA))->subject, cert_info(ca)->subject);
	place_fini(&at);
}

/* Killed wherever it stands: the next start makes the rest, and nothing half is ever read. */
static void killed_at_any_moment_the_next_start_goes_on(void **state)
{
	for (unsigned i = 0; i < 8; i++) {
		struct place at = place();
		CLEANUP(pki_free) struct pki *p = NULL;
		const struct timespec wait = { 0, (long)i * 2000000 };
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			const struct pki_conf conf = { .dirfd = at.fd, .names = names };
			struct pki *own;

			for (;;) {
				if (pki_open(&conf, &own, NULL) < 0)
					_exit(1);
				(void)pki_renew(own, PKI_ADMIN, now_s(), NULL);
				(void)pki_renew(own, PKI_CA, now_s(), NULL);
				pki_free(own);
			}
		}
		(void)nanosleep(&wait, NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		p = must_open(&at, names, 0);
		assert_sound(p, now_s());
		place_fini(&at);
	}
}

/* ---- kubeconfigs ---- */

static const char *decoded(struct arena *a, const struct doc *d, const char *path)
{
	struct slice text = doc_slice(doc_find(d, path));
	char *out = arena_alloc(a, text.n + 1);
	size_t n;

	assert_int_equal(base64_decode(out, &n, text), 0);
	out[n] = '\0';
	return out;
}

static struct doc *read_yaml(struct arena *a, const struct place *at, const char *name)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	struct doc *d;
	char *text;

	assert_int_equal(fd_read_file(at->fd, name, &b, NULL), 0);
	text = arena_strndup(a, b.p, b.n);
	assert_int_equal(yaml_read(a, slice_str(text), NULL, &d, NULL), 0);
	return d;
}

static void kubeconfigs_hold_all_that_a_client_needs(void **state)
{
	struct arena *a = *state;
	struct place at = place();
	CLEANUP(pki_free) struct pki *p = must_open(&at, names, 0);
	CLEANUP(key_unref) struct key *k = NULL;
	CLEANUP(cert_unref) struct cert *c = NULL;
	struct stat one, two;
	struct doc *d;

	assert_int_equal(pki_write_kubeconfigs(p, "https://10.0.0.5:6443", SLICE("ROOTS"), NULL),
			 0);
	d = read_yaml(a, &at, "admin.kubeconfig");
	assert_true(doc_str_is(doc_find(d, "clusters.0.cluster.server"), "https://10.0.0.5:6443"));
	assert_string_equal(decoded(a, d, "clusters.0.cluster.certificate-authority-data"),
			    "ROOTS");
	assert_true(doc_str_is(doc_find(d, "users.0.name"), "kubernetes-admin"));
	assert_true(doc_str_is(doc_find(d, "current-context"), "default"));
	assert_int_equal(
		cert_read_one(slice_str(decoded(a, d, "users.0.user.client-certificate-data")), &c,
			      NULL),
		0);
	assert_string_equal(cert_info(c)->serial, serial(p, PKI_ADMIN));
	assert_int_equal(
		key_read(slice_str(decoded(a, d, "users.0.user.client-key-data")), &k, NULL), 0);
	assert_true(key_matches(k, pki_key(p, PKI_ADMIN)));
	assert_non_null(read_yaml(a, &at, "controller-manager.kubeconfig"));
	assert_int_equal(fstatat(at.fd, "scheduler.kubeconfig", &one, 0), 0);
	assert_int_equal(one.st_mode & 07777, 0600);
	/* what is right already is left alone */
	assert_int_equal(pki_write_kubeconfigs(p, "https://10.0.0.5:6443", SLICE("ROOTS"), NULL),
			 0);
	assert_int_equal(fstatat(at.fd, "scheduler.kubeconfig", &two, 0), 0);
	assert_int_equal(one.st_ino, two.st_ino);
	place_fini(&at);
}

static void certificates_are_issued_for_others(void **state)
{
	static const char *const groups[] = { "devs", "ops" };
	struct place at = place();
	CLEANUP(pki_free) struct pki *p = must_open(&at, names, 0);
	CLEANUP(key_unref) struct key *k = NULL;
	CLEANUP(cert_unref) struct cert *c = NULL;
	const struct pki_client who = {
		.user = "jane", .groups = groups, .ngroups = 2, .now = now_s(), .life = 3600
	};

	assert_int_equal(pki_issue(p, &who, &c, &k, NULL), 0);
	assert_string_equal(cert_info(c)->names.cn, "jane");
	assert_int_equal(cert_info(c)->names.o.n, 2);
	assert_int_equal(cert_info(c)->not_after, who.now + 3600);
	assert_true(cert_is_issued_by(c, pki_cert(p, PKI_CA)));
	assert_int_equal(cert_info(c)->usages & CERT_EXT_SERVER, 0);
	place_fini(&at);
}

static void names_are_found(void **state)
{
	assert_int_equal(pki_find("ca"), PKI_CA);
	assert_int_equal(pki_find("front-proxy-client"), PKI_FRONT_CLIENT);
	assert_int_equal(pki_find("sa"), PKI_N);
	for (unsigned i = 0; i < PKI_N; i++)
		assert_int_equal(pki_find(pki_name(i)), i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_first_start_makes_all_of_it),
		CASE(a_second_start_keeps_it),
		CASE(reading_makes_nothing),
		CASE(another_name_makes_a_serving_certificate_only),
		CASE(what_has_a_third_of_its_life_left_is_renewed),
		CASE(a_renewed_ca_keeps_its_key),
		CASE(halves_of_a_renewal_are_mended),
		CASE(a_ca_that_lost_its_key_is_not_replaced),
		CASE(a_damaged_file_is_named),
		CASE(a_ca_of_ones_own_is_used),
		CASE(killed_at_any_moment_the_next_start_goes_on),
		CASE(kubeconfigs_hold_all_that_a_client_needs),
		CASE(certificates_are_issued_for_others),
		CASE(names_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
