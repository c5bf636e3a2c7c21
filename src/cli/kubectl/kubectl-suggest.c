/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that are near to a word that is none: kubectl's own rule, and its commands in its order.
 */
#include "cli/kubectl/kubectl.h"

#include "base/str.h"

#include <string.h>

#define NEAR 2	    /* single letters that are put in, left out or changed */
#define WORD_MAX 64 /* nothing is near to longer words */

/* Also those that are not here: what is typed next is refused by name. */
static const char *const commands[] = {
	"create",	"expose",  "run",     "set",	   "explain",	   "get",
	"edit",		"delete",  "rollout", "scale",	   "autoscale",	   "certificate",
	"cluster-info", "top",	   "cordon",  "uncordon",  "drain",	   "taint",
	"describe",	"logs",	   "attach",  "exec",	   "port-forward", "proxy",
	"cp",		"auth",	   "debug",   "events",	   "diff",	   "apply",
	"patch",	"replace", "wait",    "kustomize", "label",	   "annotate",
	"completion",	"config",  "plugin",  "version",   "api-versions", "api-resources",
	"options",
};

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static unsigned changes(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned row[WORD_MAX + 1];

	for (unsigned j = 0; j <= nb; j++)
		row[j] = j;
	for (unsigned i = 1; i <= na; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= nb; j++) {
			const unsigned change = diagonal + (lower(a[i - 1]) != b[j - 1]);

			diagonal = row[j];
			row[j] = MIN(MIN(row[j], row[j - 1]) + 1, change);
		}
	}
	return row[nb];
}

void kubectl_suggest(const char *word, struct buf *out)
{
	const size_t n = strlen(word);
	bool first = true;

	for (size_t i = 0; n <= WORD_MAX && i < ARRAY_LEN(commands); i++) {
		const char *name = commands[i];

		if (changes(word, n, name, strlen(name)) > NEAR && strncasecmp(name, word, n) != 0)
			continue;
		buf_addf(out, "%s\t%s\n", first ? "\nDid you mean this?\n" : "", name);
		first = false;
	}
	if (!first)
		(void)buf_addc(out, '\n');
}
