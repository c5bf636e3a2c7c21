/* SPDX-License-Identifier: Apache-2.0 */
/* Progress of transfers, from their threads to the loop. */
#include "base/loop.h"
#include "image/transfer.h"

#include <stdlib.h>
#include <string.h>

struct told {
	struct post post;
	struct teller *to;
	struct image_transfer t;
	char id[160], status[IMAGE_NAME_TEXT_MAX + 64], tag[129], digest[IMAGE_DIGEST_MAX],
		index[IMAGE_DIGEST_MAX];
};

static void on_told(struct post *post)
{
	struct told *t = CONTAINER_OF(post, struct told, post);

	t->to->fn(t->to->ctx, &t->t);
	free(t);
}

/* Bytes are copied into dst; NULL stays NULL. */
static const char *copy(char *dst, size_t n, const char *src)
{
	if (!src)
		return NULL;
	(void)str_copy(dst, n, src);
	return dst;
}

void teller_tell(struct teller *te, const struct image_transfer *t)
{
	struct told *told;

	if (!te->fn)
		return;
	if (!te->loop) {
		pthread_mutex_lock(&te->lock);
		te->fn(te->ctx, t);
		pthread_mutex_unlock(&te->lock);
		return;
	}
	told = calloc(1, sizeof(*told));
	if (!told)
		abort();
	told->to = te;
	told->t = *t;
	told->t.id = copy(told->id, sizeof(told->id), t->id);
	told->t.status = copy(told->status, sizeof(told->status), t->status);
	told->t.tag = copy(told->tag, sizeof(told->tag), t->tag);
	told->t.digest = copy(told->digest, sizeof(told->digest), t->digest);
	told->t.index = copy(told->index, sizeof(told->index), t->index);
	told->post.fn = on_told;
	loop_post(te->loop, &told->post);
}

void teller_say(struct teller *te, const char *id, const char *status)
{
	teller_tell(te, &(struct image_transfer){ .id = id, .status = status });
}
