/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends that libcrypto has and that we never use: its sockets look names up, its engines load
 * libraries. In a static program either would drag the C library's run-time plug-ins along. Defined
 * here, they find nothing. Our own names are resolved by io/resolver.h. Only in static programs.
 */
#include <netdb.h>

int getaddrinfo(const char *restrict name, const char *restrict service,
		const struct addrinfo *restrict hints, struct addrinfo **restrict ret)
{
	return EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list)
{
	(void)list; /* none was given */
}

struct hostent *gethostbyname(const char *name)
{
	return NULL;
}

/* Under its own name (--wrap): the C library's own dlopen is in the program for its own use. */
void *__wrap_dlopen(const char *file, int mode);
void *__wrap_dlopen(const char *file, int mode)
{
	return NULL;
}
