/* SPDX-License-Identifier: BSD-2-Clause */
/* A short list in the order of the stream. */
#include "daemon/passed.h"

#include <string.h>
#include <unistd.h>

static void forget(struct passed *p, unsigned count)
{
	p->count -= count;
	memmove(p->items, p->items + count, p->count * sizeof *p->items);
}

void passed_fini(struct passed *p)
{
	for (unsigned i = 0; i < p->count; i++)
		close(p->items[i].fd);
	p->count = 0;
}

void passed_add(struct passed *p, int fd, uint64_t begin, uint64_t end)
{
	if (p->count == PASSED_MAX) {
		close(fd);
		return;
	}
	p->items[p->count].fd = fd;
	p->items[p->count].begin = begin;
	p->items[p->count++].end = end;
}

int passed_claim(struct passed *p, uint64_t line_end, int count, int *fds, struct pt_error *err)
{
	unsigned there = 0;
	while (there < p->count && p->items[there].begin < line_end)
		there++;
	if (count < 0 || (unsigned)count > there) {
		pt_fail(err, -PT_EREQUEST, NULL,
		        "\"fds\" says %d descriptors come with the request, and %u did", count,
		        there);
		pt_hint(err, "pass them with SCM_RIGHTS in the same sendmsg() as the line");
		return -PT_EREQUEST;
	}
	for (int i = 0; i < count; i++)
		fds[i] = p->items[i].fd;
	forget(p, (unsigned)count);
	return 0;
}

void passed_expire(struct passed *p, uint64_t line_end)
{
	unsigned gone = 0;
	while (gone < p->count && p->items[gone].end <= line_end)
		close(p->items[gone++].fd);
	forget(p, gone);
}
