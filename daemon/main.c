/* SPDX-License-Identifier: BSD-2-Clause */
/* pipetoold: engines that move messages through graphs of blocks, driven over a socket. */
#include "daemon/daemon.h"
#include "base/memory.h"
#include "daemon/init.h"
#include "paths.h"
#include <fcntl.h>
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

enum { WRONG_USAGE = 2 };

static void *libuv_realloc(void *old, size_t size)
{
	return must_realloc(old, size, 1);
}

static void *libuv_calloc(size_t count, size_t size)
{
	return must_calloc(count, size);
}

/* What somebody opens later must not become the standard output. */
static void fill_standard_descriptors(void)
{
	int fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO)
		fd = dup(fd);
	if (fd >= 0)
		close(fd);
}

/* jansson goes on with what it did not get, and libuv aborts. */
static void memory_for_libraries(void)
{
	json_set_alloc_funcs(must_malloc, free);
	uv_replace_allocator(must_malloc, libuv_realloc, libuv_calloc, free);
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
	if (options->check)
		return daemon_check(options);
	init_begin();
	return daemon_run(options);
}

/* What is large is the system's again as soon as it is freed, and what many threads have freed in
   turn does not lie in pools of each. But a change of a graph of 10,000 blocks takes and frees some
   pieces of a megabyte, which are not to be the system's in between. */
static void give_memory_back(void)
{
	mallopt(M_MMAP_THRESHOLD, 2 * 1024 * 1024);
	mallopt(M_TRIM_THRESHOLD, 2 * 1024 * 1024);
	mallopt(M_ARENA_MAX, 4);
}

int main(int argc, char **argv)
{
	struct options options = {0};
	out_of_memory_says("; what was acknowledged is kept");
	memory_for_libraries();
	give_memory_back();
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
