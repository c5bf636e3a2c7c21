/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `teu`: global options and the table of commands. */
#pragma once

struct global_opts {
	const char *root; /* durable state: TEU_ROOT, else /var/lib/teu */
	const char *run;  /* sockets: TEU_RUN, else /run/teu */
	const char *host; /* of the engine to talk to: TEU_HOST, else unix://<run>/docker.sock */
};

/* Exit status of the program. */
int cli_main(int argc, char **argv);
