/* SPDX-License-Identifier: BSD-2-Clause */
/* Units of a ring, without a kernel that fills them: the test does. */
#include "unit.h"

#include "capture/live_units.h"
#include "msg/pool.h"
#include <sys/mman.h>
#include <unistd.h>

#define COUNT 8

static void begin(struct live_units *u)
{
	int fd = memfd_create("units", MFD_CLOEXEC);
	*u = (struct live_units){
		.version = TPACKET_V2, .unit_size = (size_t)sysconf(_SC_PAGESIZE), .count = COUNT};
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)(u->unit_size * COUNT)), 0);
	ck_assert_int_eq(units_map(u, fd), 0);
	close(fd);
}

static void fill(struct live_units *u, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++)
		((struct tpacket2_hdr *)(void *)unit_at(u, i))->tp_status = TP_STATUS_USER;
}

static void read_all(struct live_units *u, struct pt_pool *pool)
{
	while (units_is_filled(u, u->unit)) {
		units_lend(u, pool);
		units_leave(u);
	}
}

START_TEST(what_is_filled_makes_it_half_full)
{
	struct live_units u;
	begin(&u);
	fill(&u, 0, COUNT / 2);
	ck_assert(!units_are_half_full(&u));
	fill(&u, COUNT / 2, COUNT / 2 + 1);
	ck_assert(units_are_half_full(&u));
	units_unmap(&u);
}
END_TEST

/* The kernel has no more room for them than for those that are filled. */
START_TEST(so_does_what_was_read_and_is_kept)
{
	struct live_units u;
	struct pt_pool *pool = pool_new(0);
	begin(&u);
	units_keep(&u, true);
	fill(&u, 0, 3);
	read_all(&u, pool);
	ck_assert(!units_are_half_full(&u));
	fill(&u, 3, 5);
	ck_assert(units_are_half_full(&u));
	read_all(&u, pool);
	ck_assert(units_are_half_full(&u));
	units_pass(&u, u.unit);
	ck_assert(!units_are_half_full(&u));
	units_unmap(&u);
	pool_free(pool);
}
END_TEST

UNIT_TESTS("capture/live_units", what_is_filled_makes_it_half_full,
           so_does_what_was_read_and_is_kept)
