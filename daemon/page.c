/* SPDX-License-Identifier: BSD-2-Clause */
/* A memfd of one page. */
#include "daemon/page.h"

#include "base/buf.h"
#include "base/moment.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE  4096
#define MAGIC UINT64_C(0x0165676170207470) /* "pt page", and the version */

struct shared {
	_Atomic uint64_t magic;
	_Atomic uint64_t cut, twin; /* the same with all bits turned: damage is seen */
	_Atomic int64_t time_ns;
};

struct page {
	int fd;
	struct shared *shared;
};

static struct page *map(int fd)
{
	void *at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		close(fd);
		return NULL;
	}
	struct page *p = must_calloc(1, sizeof *p);
	*p = (struct page){fd, at};
	return p;
}

struct page *page_new(void)
{
	int fd = memfd_create("pipetool", MFD_CLOEXEC);
	if (fd >= 0 && ftruncate(fd, SIZE)) {
		close(fd);
		fd = -1;
	}
	struct page *p = fd < 0 ? NULL : map(fd);
	if (p) {
		page_commit(p, 0);
		atomic_store(&p->shared->magic, MAGIC);
	}
	return p;
}

/* Killed between two stores, one of the two numbers is the one before. */
static bool is_whole(const struct shared *s)
{
	uint64_t cut = atomic_load(&s->cut), twin = ~atomic_load(&s->twin);
	return atomic_load(&s->magic) == MAGIC && cut >= twin && cut - twin < UINT32_MAX;
}

struct page *page_open(int fd)
{
	struct stat st;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size != SIZE) {
		close(fd);
		return NULL;
	}
	struct page *p = map(fd);
	if (p && is_whole(p->shared))
		return p;
	page_free(p);
	return NULL;
}

void page_free(struct page *p)
{
	if (!p)
		return;
	munmap(p->shared, SIZE);
	close(p->fd);
	free(p);
}

int page_fd(const struct page *p)
{
	return p->fd;
}

void page_commit(struct page *p, uint64_t cut)
{
	atomic_store(&p->shared->time_ns, moment_now());
	atomic_store(&p->shared->cut, cut);
	atomic_store(&p->shared->twin, ~cut);
}

uint64_t page_committed(const struct page *p)
{
	return atomic_load(&p->shared->cut);
}

int64_t page_time_ns(const struct page *p)
{
	return atomic_load(&p->shared->time_ns);
}
