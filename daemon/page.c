/* SPDX-License-Identifier: BSD-2-Clause */
/* A memfd of one page. */
#include "daemon/page.h"

#include "base/buf.h"
#include "base/moment.h"
#include "paths.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE   4096
#define NUMBER UINT64_C(0xffffffffff)       /* the bits of a cut's */
#define MAGIC  UINT64_C(0x0265676170207470) /* "pt page", and the version */

struct shared {
	_Atomic uint64_t magic;
	_Atomic uint64_t cut; /* sealed: damage is seen */
	_Atomic int64_t time_ns;
	_Atomic uint32_t tries, ended;
	char version[32];
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

/* With a sum in its upper bits. */
static uint64_t seal(uint64_t cut)
{
	return cut | (((cut + 1) * UINT64_C(0x9e3779b97f4a7c15)) & ~NUMBER);
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
		page_commit(p, 0, false);
		page_adopt(p);
		atomic_store(&p->shared->magic, MAGIC);
	}
	return p;
}

static bool is_whole(const struct shared *s)
{
	uint64_t sealed = atomic_load(&s->cut);
	return atomic_load(&s->magic) == MAGIC && seal(sealed & NUMBER) == sealed;
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

void page_commit(struct page *p, uint64_t cut, bool last)
{
	atomic_store(&p->shared->time_ns, moment_now());
	atomic_store(&p->shared->cut, seal(cut & NUMBER));
	if (last) {
		page_set_tries(p, 0);
		atomic_store(&p->shared->ended, true);
	}
}

uint64_t page_committed(const struct page *p)
{
	return atomic_load(&p->shared->cut) & NUMBER;
}

int64_t page_time_ns(const struct page *p)
{
	return atomic_load(&p->shared->time_ns);
}

void page_set_tries(struct page *p, unsigned tries)
{
	atomic_store(&p->shared->tries, tries);
}

unsigned page_tries(const struct page *p)
{
	return atomic_load(&p->shared->tries);
}

const char *page_adopt(struct page *p)
{
	struct shared *s = p->shared;
	bool ended = atomic_exchange(&s->ended, false);
	bool other = strncmp(s->version, PIPETOOL_VERSION, sizeof s->version) != 0;
	memset(s->version, 0, sizeof s->version);
	strncpy(s->version, PIPETOOL_VERSION, sizeof s->version - 1);
	return !ended ? "crash" : other ? "upgrade" : "restart";
}
