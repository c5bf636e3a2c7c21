/* SPDX-License-Identifier: Apache-2.0 */
/* Entry point of `teu-oci`: the OCI runtime's command line, or a container's shim. Dispatch only.
 */
#include "runtime/runtime.h"
#include "runtime/shim.h"
#ifdef TEU_START
#include "start.h"
#endif

#include <string.h>

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "shim") == 0) {
#ifdef TEU_START
		start_heap_off();
#endif
		return shim_main(argc - 1, argv + 1);
	}
	return rt_main(argc, argv);
}
