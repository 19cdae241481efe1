/* SPDX-License-Identifier: BSD-2-Clause */
/* pipetoold: engines that move messages through graphs of blocks, driven over a socket. */
#include "daemon/daemon.h"
#include "paths.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WRONG_USAGE = 2 };

/* What somebody opens later must not become the standard output. */
static void fill_standard_descriptors(void)
{
	int fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO)
		fd = dup(fd);
	if (fd >= 0)
		close(fd);
}

static int print_help(void)
{
	struct buf text = BUF_INIT;
	options_help(&text);
	bool written = fputs(text.data, stdout) != EOF && fflush(stdout) != EOF;
	buf_free(&text);
	return written ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int act(const struct options *options)
{
	if (options->help)
		return print_help();
	if (options->version)
		return puts("pipetoold " PIPETOOL_VERSION) < 0 || fflush(stdout) ? EXIT_FAILURE
		                                                                 : EXIT_SUCCESS;
	return options->check ? daemon_check(options) : daemon_run(options);
}

int main(int argc, char **argv)
{
	struct options options = {0};
	struct pt_error err = PT_ERROR_INIT;
	fill_standard_descriptors();
	int status = WRONG_USAGE;
	if (options_read(argc, argv, &options, &err))
		fprintf(stderr, "pipetoold: %s\n", pt_error_text(&err, "wrong usage"));
	else
		status = act(&options);
	pt_error_clear(&err);
	options_clear(&options);
	return status;
}
