/* SPDX-License-Identifier: Apache-2.0 */
/* Entry point of `teu-oci`: the OCI runtime's command line, a container's shim, or the fresh image
 * that joins a container. Dispatch only.
 */
#include "linux/proc.h"
#include "runtime/join.h"
#include "runtime/runtime.h"
#include "runtime/shim.h"
#ifdef TEU_START
#include "start.h"
#endif

#include <string.h>

int main(int argc, char **argv)
{
	proc_keep_children();
	if (argc > 1 && strcmp(argv[1], "shim") == 0) {
#ifdef TEU_START
		start_heap_off();
#endif
		return shim_main(argc - 1, argv + 1);
	}
	if (argc > 1 && strcmp(argv[1], JOIN_WORD) == 0)
		return join_main(argc - 1, argv + 1);
	return rt_main(argc, argv);
}
