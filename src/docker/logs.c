/* SPDX-License-Identifier: Apache-2.0 */
/* GET /containers/{id}/logs. */
#include "docker/private.h"

void container_logs(struct call *c)
{
	not_supported(c);
}
