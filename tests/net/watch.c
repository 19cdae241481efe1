/* SPDX-License-Identifier: BSD-2-Clause */
/* Interfaces and addresses that come, in a network namespace of the test's own. */
#include "net/watch.h"

#include "unit.h"
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void count(void *arg)
{
	++*(int *)arg;
}

static void never(uv_timer_t *timer)
{
}

/* 0: there is no such right. */
static int in_own_network(void)
{
	return !unshare(CLONE_NEWUSER | CLONE_NEWNET) || !unshare(CLONE_NEWNET);
}

static void set_loopback(short flags)
{
	struct ifreq request = {.ifr_flags = flags};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	strcpy(request.ifr_name, "lo");
	ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

START_TEST(what_comes_is_told_and_what_stays_is_not)
{
	uv_loop_t loop;
	uv_timer_t alive;
	int told = 0;
	if (!in_own_network())
		return;
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	uv_timer_init(&loop, &alive);
	uv_timer_start(&alive, never, 3600 * 1000, 0);
	struct net_watch *w = net_watch_new(&loop, count, &told);
	ck_assert_ptr_nonnull(w);
	uv_run(&loop, UV_RUN_NOWAIT);
	ck_assert_int_eq(told, 0);
	set_loopback(IFF_UP);
	uv_run(&loop, UV_RUN_NOWAIT);
	ck_assert_int_gt(told, 0);
	told = 0;
	set_loopback(IFF_UP);
	uv_run(&loop, UV_RUN_NOWAIT);
	ck_assert_int_eq(told, 0);
	net_watch_free(w);
	uv_close((uv_handle_t *)&alive, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

UNIT_TESTS("net/watch", what_comes_is_told_and_what_stays_is_not)
