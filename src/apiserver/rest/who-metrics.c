/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/rest/who-metrics.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "io/metrics.h"

#include <string.h>

static const char *const results[] = { "result" };
static const char *const usernames[] = { "username" };
/* 1 ms, doubled fourteen times */
static const double took_buckets[] = { 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128,
				       0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384 };

/* Counters, but for their names, which have no "_total". */
static const struct metric_spec users_spec = {
	METRIC_GAUGE, "authenticated_user_requests",
	"Requests of users that are known, by a few names that all users fall into.", usernames, 1
};
static const struct metric_spec known_spec = { METRIC_GAUGE, "authentication_attempts",
					       "Requests by how it ended to find out who asks.",
					       results, 1 };
static const struct metric_spec known_took_spec = { METRIC_HISTOGRAM,
						    "authentication_duration_seconds",
						    "Time that it took to find out who asks.",
						    results,
						    1,
						    took_buckets,
						    ARRAY_LEN(took_buckets) };
static const struct metric_spec may_spec = { METRIC_COUNTER, "authorization_attempts_total",
					     "Requests by what authorizers said of them.", results,
					     1 };
static const struct metric_spec may_took_spec = { METRIC_HISTOGRAM,
						  "authorization_duration_seconds",
						  "Time that authorizers took.",
						  results,
						  1,
						  took_buckets,
						  ARRAY_LEN(took_buckets) };

static int add_each(struct metrics *m, const struct metric_spec *spec, const char *const *names,
		    struct metric **ret, struct err *err)
{
	struct metric_family *f;
	int r = metrics_add(m, spec, &f, err);

	for (size_t i = 0; r == 0 && names[i]; i++)
		ret[i] = metric_with(f, &names[i]);
	return r;
}

int who_metrics_add(struct metrics *m, struct who_metrics *ret, struct err *err)
{
	static const char *const known[] = { "success", "failure", "error", NULL };
	static const char *const may[] = { "allowed", "denied", "no-opinion", "error", NULL };
	int r = metrics_add(m, &users_spec, &ret->users, err);

	if (r == 0)
		r = add_each(m, &known_spec, known, ret->known, err);
	if (r == 0)
		r = add_each(m, &known_took_spec, known, ret->known_took, err);
	if (r == 0)
		r = add_each(m, &may_spec, may, ret->may, err);
	return r < 0 ? r : add_each(m, &may_took_spec, may, ret->may_took, err);
}

static const char *name_of(const char *user)
{
	static const char *const own[] = { "admin",
					   "client",
					   "kube_proxy",
					   "kubelet",
					   "system:serviceaccount:kube-system:default",
					   NULL };

	if (str_is_one_of(user, own))
		return user;
	return strchr(user, '@') ? "email_id" : "other";
}

void who_count_known(struct who_metrics *m, enum who_known how, const char *user, int64_t took)
{
	if (!m->users)
		return;
	if (how == WHO_SUCCESS) {
		const char *const name = name_of(user);

		metric_inc(metric_with(m->users, &name));
	}
	metric_inc(m->known[how]);
	metric_observe(m->known_took[how], (double)took / NS_PER_SEC);
}

void who_count_may(struct who_metrics *m, enum who_may how, int64_t took)
{
	if (!m->users)
		return;
	metric_inc(m->may[how]);
	metric_observe(m->may_took[how], (double)took / NS_PER_SEC);
}
