/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads that cannot be had. */
#ifndef TESTS_THREADS_H
#define TESTS_THREADS_H

#include "unit.h"
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

/* No more threads, or as many as one likes: not root's, who has no limit. */
static inline void set_threads(bool any)
{
	struct rlimit limit;
	if (!geteuid())
		ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NPROC, &limit), 0);
	limit.rlim_cur = any ? limit.rlim_max : 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
}

#endif
