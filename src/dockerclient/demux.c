/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames in which one connection carries stdout and stderr. Nothing is collected but the text
 * of a system frame, so the announced length of a frame costs no memory.
 */
#include "dockerclient/dockerclient.h"

static int begin_frame(struct docker_demux *d, struct err *err)
{
	const unsigned char *h = d->head;

	if (h[0] > DOCKER_SYSTEM || h[1] || h[2] || h[3])
		return err_set(err, ERR_BAD_REQUEST,
			       "the engine's stream is not in frames (it begins with %02x %02x "
			       "%02x %02x): it may be that of a terminal",
			       h[0], h[1], h[2], h[3]);
	d->left = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 | h[7];
	return 0;
}

static int system_error(struct docker_demux *d, struct err *err)
{
	size_t n = d->system_n;

	while (n && (d->system[n - 1] == '\n' || d->system[n - 1] == '\r'))
		n--;
	return err_set(err, ERR_SYSTEM, "error from daemon in stream: %.*s", (int)n, d->system);
}

int docker_demux_feed(struct docker_demux *d, struct slice bytes,
		      int (*fn)(void *arg, enum docker_frame type, struct slice payload,
				struct err *err),
		      void *arg, struct err *err)
{
	int r;

	while (bytes.n) {
		size_t n;

		if (d->have < sizeof(d->head)) {
			d->head[d->have++] = (unsigned char)*bytes.p;
			bytes = slice_of(bytes.p + 1, bytes.n - 1);
			if (d->have == sizeof(d->head) && begin_frame(d, err) < 0)
				return err_ret(err);
		}
		n = d->have < sizeof(d->head) ? 0 : MIN(bytes.n, (size_t)d->left);
		if (n && d->head[0] == DOCKER_SYSTEM) {
			size_t room = MIN(n, sizeof(d->system) - d->system_n);

			memcpy(d->system + d->system_n, bytes.p, room);
			d->system_n += room;
		} else if (n) {
			r = fn(arg, d->head[0], slice_of(bytes.p, n), err);
			if (r < 0)
				return r;
		}
		bytes = slice_of(bytes.p + n, bytes.n - n);
		d->left -= (uint32_t)n;
		if (d->have == sizeof(d->head) && d->left == 0) {
			if (d->head[0] == DOCKER_SYSTEM)
				return system_error(d, err);
			d->have = 0;
		}
	}
	return 0;
}

int docker_demux_end(const struct docker_demux *d, struct err *err)
{
	if (d->have)
		return err_set(err, ERR_BAD_REQUEST,
			       "the engine's stream ended inside a frame (%u bytes are missing)",
			       d->have < sizeof(d->head) ? (unsigned)(sizeof(d->head) - d->have)
							 : d->left);
	return 0;
}
