/* SPDX-License-Identifier: Apache-2.0 */
/* Entry point of `teu`: a fenced helper's role, or the command line. Dispatch only. */
#include "cli/cli.h"
#include "image/fetch.h"
#include "image/lazy.h"
#include "image/unpack.h"
#include "linux/proc.h"

#include <string.h>

int main(int argc, char **argv)
{
	proc_keep_children();
	if (argc > 1 && strcmp(argv[1], IMAGE_UNPACK_ROLE) == 0)
		return image_unpack_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], IMAGE_FETCH_ROLE) == 0)
		return image_fetch_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], IMAGE_LAZY_ROLE) == 0)
		return image_lazy_main(argc, argv);
	return cli_main(argc, argv);
}
