/* SPDX-License-Identifier: BSD-2-Clause */
/* A page of memory that outlives the daemon: an engine's last whole checkpoint. */
#ifndef DAEMON_PAGE_H
#define DAEMON_PAGE_H

#include <stdbool.h>
#include <stdint.h>

struct page;

struct page *page_new(void);    /* NULL: no memory */
struct page *page_open(int fd); /* takes it; NULL: it is none, or damaged */
void page_free(struct page *);  /* the memory stays with other descriptors; NULL does nothing */
int page_fd(const struct page *);

/* One store: whenever the daemon is killed, it is the one before or this one. The last one of a
   daemon that ends well is its end. */
void page_commit(struct page *, uint64_t cut, bool last);
uint64_t page_committed(const struct page *); /* 0: none */
int64_t page_time_ns(const struct page *);    /* when that was, since 1970 */

void page_set_tries(struct page *, unsigned); /* how often it was gone on from */
unsigned page_tries(const struct page *);
/* How the daemon before has ended: "crash", "restart", or "upgrade" where it was another version;
   from now on it is this one. */
const char *page_adopt(struct page *);

#endif
