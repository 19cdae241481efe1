/* SPDX-License-Identifier: BSD-2-Clause */
/* A timer, then a thread for one try, then the timer again. */
#include "net/reconnect.h"

#include "base/error.h"
#include "net/address.h"
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define TRYING    INT_MIN
#define TRY_STACK (256 * 1024)

void reconnect_init(struct reconnect *r, struct pt_block *b, const char *host, int port,
                    double retry_s, void (*due)(struct pt_block *),
                    void (*connected)(struct pt_block *, int fd))
{
	*r = (struct reconnect){.block = b,
	                        .host = host,
	                        .port = port,
	                        .retry_s = retry_s,
	                        .due = due,
	                        .connected = connected};
	atomic_store(&r->result, -ENOTCONN);
}

void reconnect_start(struct reconnect *r)
{
	r->told = false;
}

static void try_it(void *arg)
{
	struct reconnect *r = arg;
	int fd, rc = address_connect(SOCK_STREAM, r->host, r->port, &fd, NULL);
	atomic_store(&r->result, rc ? rc : fd);
	pt_wake(r->block);
}

void reconnect_try(struct reconnect *r)
{
	const uv_thread_options_t options = {UV_THREAD_HAS_STACK_SIZE, TRY_STACK};
	atomic_store(&r->result, TRYING);
	r->trying = uv_thread_create_ex(&r->thread, &options, try_it, r) == 0;
	if (!r->trying)
		reconnect_later(r);
}

void reconnect_later(struct reconnect *r)
{
	pt_timer_at(r->block, &r->timer, pt_now(r->block) + (uint64_t)(r->retry_s * 1e9), r->due);
}

void reconnect_woken(struct reconnect *r)
{
	int result = atomic_load(&r->result);
	if (!r->trying || result == TRYING)
		return;
	uv_thread_join(&r->thread);
	r->trying = false;
	if (result >= 0) {
		atomic_store(&r->result, -ENOTCONN);
		r->told = false;
		r->connected(r->block, result);
		return;
	}
	if (!r->told)
		pt_report(r->block, result, "cannot connect to %s port %d: %s; trying every %g s",
		          r->host, r->port, error_words(result), r->retry_s);
	r->told = true;
	reconnect_later(r);
}

void reconnect_close(struct reconnect *r)
{
	if (r->trying)
		uv_thread_join(&r->thread);
	r->trying = false;
	int fd = atomic_exchange(&r->result, -ENOTCONN);
	if (fd >= 0)
		close(fd);
}
