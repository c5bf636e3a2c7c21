/* SPDX-License-Identifier: Apache-2.0 */
/* Entry point of `teu-oci`: the OCI runtime's command line. Dispatch only. */
#include "runtime/runtime.h"

int main(int argc, char **argv)
{
	return rt_main(argc, argv);
}
