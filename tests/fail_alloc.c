/* SPDX-License-Identifier: BSD-2-Clause */
/* To be preloaded: the allocation with the number in $FAIL_ALLOC fails; with '+' behind it, so do
   all that follow. What libc itself asks for counts, too. */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

void *malloc(size_t);
void *calloc(size_t, size_t);
void *realloc(void *, size_t);

static atomic_long left;
static int counts, all;

__attribute__((constructor)) static void begin(void)
{
	const char *said = getenv("FAIL_ALLOC");
	char *end;
	if (!said)
		return;
	left = strtol(said, &end, 10);
	all = *end == '+';
	unsetenv("LD_PRELOAD"); /* what it starts is not meant */
	counts = 1;
}

static int fails(void)
{
	long n = counts ? atomic_fetch_sub(&left, 1) : 2;
	if (n > 1 || (n < 1 && !all))
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return fails() ? NULL : __libc_realloc(old, size);
}
