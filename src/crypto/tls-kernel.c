/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's TLS (Documentation/networking/tls.rst), for what is sent: it seals with the key and
 * the number that our records have come to. Receiving stays ours: records that are no data (alerts,
 * key updates) are then handled in one place, with all that a kernel may lack.
 */
#include "base/err.h"
#include "crypto/tls-priv.h"

#include <errno.h>
#include <linux/tls.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* The kernel's key cannot be replaced (before Linux 6.14): the connection ends before AES-GCM's
 * limit, 2^24.5 records. */
#define KERNEL_KEY_LIMIT (UINT64_C(1) << 24)

/* Once a kernel said that it has none, it is not asked again. */
static atomic_bool absent;

union crypto_info {
	struct tls_crypto_info head;
	struct tls12_crypto_info_aes_gcm_128 aes128;
	struct tls12_crypto_info_aes_gcm_256 aes256;
	struct tls12_crypto_info_chacha20_poly1305 chacha;
};

static void number(const struct record_dir *d, unsigned char out[8])
{
	for (int i = 0; i < 8; i++)
		out[7 - i] = (unsigned char)(d->seq >> (8 * i));
}

/* Salt is the first four bytes of the iv where the kernel splits them. */
static socklen_t fill(const struct record_dir *d, unsigned char key[32], union crypto_info *i)
{
	i->head.version = TLS_1_3_VERSION;
	switch (d->suite->id) {
	case 0x1301:
		i->head.cipher_type = TLS_CIPHER_AES_GCM_128;
		record_key(d, key);
		memcpy(i->aes128.key, key, sizeof(i->aes128.key));
		memcpy(i->aes128.salt, d->iv, 4);
		memcpy(i->aes128.iv, d->iv + 4, 8);
		number(d, i->aes128.rec_seq);
		return sizeof(i->aes128);
	case 0x1302:
		i->head.cipher_type = TLS_CIPHER_AES_GCM_256;
		record_key(d, key);
		memcpy(i->aes256.key, key, sizeof(i->aes256.key));
		memcpy(i->aes256.salt, d->iv, 4);
		memcpy(i->aes256.iv, d->iv + 4, 8);
		number(d, i->aes256.rec_seq);
		return sizeof(i->aes256);
	default:
		i->head.cipher_type = TLS_CIPHER_CHACHA20_POLY1305;
		record_key(d, key);
		memcpy(i->chacha.key, key, sizeof(i->chacha.key));
		memcpy(i->chacha.iv, d->iv, 12);
		number(d, i->chacha.rec_seq);
		return sizeof(i->chacha);
	}
}

int tls_offload(struct tls *t, int fd)
{
	union crypto_info info = { 0 };
	unsigned char key[32];
	int r;

	if (t->state != TLS_RECORDS || t->closed || t->kernel || t->update_due || absent)
		return t->kernel;
	if (setsockopt(fd, SOL_TCP, TCP_ULP, "tls", sizeof("tls")) < 0) {
		if (errno == ENOENT || errno == ENOPROTOOPT)
			absent = true;
		return 0;
	}
	r = setsockopt(fd, SOL_TLS, TLS_TX, &info, fill(&t->tx, key, &info));
	OPENSSL_cleanse(&info, sizeof(info));
	OPENSSL_cleanse(key, sizeof(key));
	if (r < 0)
		return 0; /* the socket stays as it was but for a layer that does nothing */
	t->kernel = true;
	t->kernel_fd = fd;
	t->kernel_records = t->tx.seq;
	EVP_CIPHER_CTX_free(t->tx.ctx);
	t->tx.ctx = NULL;
	return 1;
}

bool tls_is_offloaded(const struct tls *t)
{
	return t->kernel;
}

int tls_kernel_alert(const struct tls *t, int level, int alert)
{
	unsigned char text[2] = { (unsigned char)level, (unsigned char)alert };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(1)];
	} c = { 0 };
	struct iovec iov = { text, sizeof(text) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &c,
			    .msg_controllen = sizeof(c.room) };

	c.head.cmsg_level = SOL_TLS;
	c.head.cmsg_type = TLS_SET_RECORD_TYPE;
	c.head.cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(&c.head) = RECORD_ALERT;
	return sendmsg(t->kernel_fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

bool tls_close_held(struct tls *t)
{
	if (t->notify_due)
		t->notify_due = tls_kernel_alert(t, 1, SSL_AD_CLOSE_NOTIFY) < 0 && errno == EAGAIN;
	return t->notify_due;
}

ssize_t tls_kernel_send(struct tls *t, struct iovec *v, unsigned n)
{
	struct msghdr m = { .msg_iov = v, .msg_iovlen = n };
	ssize_t sent;

	if (t->kernel_records >= KERNEL_KEY_LIMIT) {
		errno = EPIPE;
		return -1;
	}
	sent = sendmsg(t->kernel_fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent > 0)
		t->kernel_records += (size_t)sent / RECORD_PLAIN_MAX + 1;
	return sent;
}

ssize_t tls_kernel_send_file(struct tls *t, int fd, uint64_t at, size_t n)
{
	off_t off = (off_t)at;
	ssize_t sent;

	if (t->kernel_records >= KERNEL_KEY_LIMIT) {
		errno = EPIPE;
		return -1;
	}
	sent = sendfile(t->kernel_fd, fd, &off, n);
	if (sent > 0) /* a record holds at least a page */
		t->kernel_records += (size_t)sent / 4096 + 1;
	return sent;
}

void tls_close(struct tls *t)
{
	static const unsigned char notify[2] = { 1, SSL_AD_CLOSE_NOTIFY };
	struct slice v = slice_of((const char *)notify, sizeof(notify));

	if (t->closed || t->state == TLS_FAILED)
		return;
	t->closed = true;
	if (t->kernel) {
		t->notify_due = true;
		(void)tls_close_held(t);
	} else if (t->state == TLS_RECORDS) {
		char *out = t->sink.room(t->sink.arg, v.n + RECORD_OVERHEAD);

		t->sink.wrote(t->sink.arg, record_seal(&t->tx, RECORD_ALERT, &v, v.n, out));
	} else if (t->state == TLS_OPENSSL) {
		(void)SSL_shutdown(
			t->ssl); /* writes close_notify; the peer's is read by tls_read */
	}
}
