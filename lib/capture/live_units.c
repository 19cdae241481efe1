/* SPDX-License-Identifier: BSD-2-Clause */
/* Units of a ring: lent, given back, and moved away from below messages that stay. */
#include "capture/live_units.h"

#include "base/buf.h"
#include "base/clock.h"
#include "msg/pool.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define NS_PER_S UINT64_C(1000000000)
#define KERNEL   ((uint32_t)TP_STATUS_KERNEL)

/* Messages lie in a unit. Once they have a copy at their place it is no ring's any more. */
struct loan {
	struct live_units *units;
	uint64_t unit;
	uint8_t *at;
	size_t size;
	uint64_t since_ns;
};

struct unit {
	uint8_t *at;
	struct loan *loan;
};

static struct unit *slot_of(const struct live_units *u, uint64_t unit)
{
	return &u->units[unit % u->count];
}

uint8_t *unit_at(const struct live_units *u, uint64_t unit)
{
	return slot_of(u, unit)->at;
}

int units_map(struct live_units *u, int fd)
{
	u->map = mmap(NULL, u->unit_size * u->count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (u->map == MAP_FAILED) {
		u->map = NULL;
		return -errno;
	}
	u->units = must_calloc(u->count, sizeof *u->units);
	for (uint32_t i = 0; i < u->count; i++)
		u->units[i].at = u->map + i * u->unit_size;
	return 0;
}

void units_unmap(struct live_units *u)
{
	if (u->map && !u->torn)
		munmap(u->map, u->unit_size * u->count);
	for (uint32_t i = 0; u->torn && i < u->count; i++)
		munmap(u->units[i].at, u->unit_size);
	free(u->units);
	u->map = NULL;
	u->units = NULL;
	u->torn = false;
}

/* ---- units out and back ---- */

static uint32_t *status_of(const struct live_units *u, uint64_t unit)
{
	uint8_t *at = unit_at(u, unit);
	return u->version == TPACKET_V3
	               ? &((struct tpacket_block_desc *)(void *)at)->hdr.bh1.block_status
	               : &((struct tpacket2_hdr *)(void *)at)->tp_status;
}

/* The reader has been round, and what was read is still there: it is kept, or lent. */
static bool was_read(const struct live_units *u, uint64_t unit)
{
	const struct loan *loan = slot_of(u, unit)->loan;
	return (u->keeps && unit - u->passed >= u->count) || (loan && loan->unit != unit);
}

bool units_is_filled(const struct live_units *u, uint64_t unit)
{
	return !was_read(u, unit) &&
	       __atomic_load_n(status_of(u, unit), __ATOMIC_ACQUIRE) & TP_STATUS_USER;
}

bool units_are_half_full(const struct live_units *u)
{
	uint64_t middle = (u->keeps ? u->passed : u->unit) + u->count / 2;
	return middle < u->unit || units_is_filled(u, middle);
}

/* Without its number of packets, which is that of an open block: see units_has_more. */
static void give_back(struct live_units *u, uint64_t unit)
{
	struct tpacket_block_desc *d = (void *)unit_at(u, unit);
	if (u->version == TPACKET_V3)
		d->hdr.bh1.num_pkts = 0;
	__atomic_store_n(status_of(u, unit), KERNEL, __ATOMIC_RELEASE);
}

static void is_free(struct live_units *u, uint64_t unit)
{
	if (!u->keeps || unit < u->passed)
		give_back(u, unit);
}

static void is_gone(void *arg)
{
	struct loan *loan = arg;
	if (loan->units) {
		slot_of(loan->units, loan->unit)->loan = NULL;
		loan->units->lent--;
		is_free(loan->units, loan->unit);
	} else {
		munmap(loan->at, loan->size);
	}
	free(loan);
}

void units_lend(struct live_units *u, struct pt_pool *pool)
{
	struct loan *loan = must_calloc(1, sizeof *loan);
	struct unit *unit = slot_of(u, u->unit);
	*loan = (struct loan){.units = u, .unit = u->unit, .at = unit->at, .size = u->unit_size};
	unit->loan = loan;
	u->lent++;
	u->chunk = chunk_lent(pool, unit->at, u->unit_size, is_gone, loan);
}

/* ---- going on exactly ---- */

void units_pass(struct live_units *u, uint64_t unit)
{
	for (; u->passed < unit; u->passed++)
		if (!slot_of(u, u->passed)->loan)
			give_back(u, u->passed);
}

void units_keep(struct live_units *u, bool keep)
{
	if (!keep && u->keeps)
		units_pass(u, u->unit);
	if (keep && !u->keeps)
		u->passed = u->unit;
	u->keeps = keep;
}

bool units_are_behind(const struct live_units *u)
{
	return u->keeps && u->unit - u->passed > u->count / 4;
}

/* Which of two units was filled earlier. */
static uint64_t stamp_of(const struct live_units *u, uint64_t unit)
{
	const void *at = unit_at(u, unit);
	const struct tpacket_block_desc *d = at;
	const struct tpacket2_hdr *h = at;
	return u->version == TPACKET_V3 ? d->hdr.bh1.seq_num : h->tp_sec * NS_PER_S + h->tp_nsec;
}

/* What an earlier process has read, and had no time to give back. */
void units_give_back_rest(struct live_units *u)
{
	bool filled = units_is_filled(u, u->unit);
	for (uint64_t i = u->unit + 1; i < u->unit + u->count; i++)
		if (units_is_filled(u, i) && (!filled || stamp_of(u, i) < stamp_of(u, u->unit)))
			give_back(u, i);
}

/* ---- what stays for long ---- */

static void *spare(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return at == MAP_FAILED ? NULL : at;
}

static void drop(void *at, size_t size)
{
	if (at)
		munmap(at, size);
}

/* The unit's memory moves elsewhere, and a copy of it comes to its place, so that no message is
   other than it was. */
static bool swap_out(struct live_units *u, struct unit *unit)
{
	uint8_t *copy = spare(u->unit_size), *elsewhere = spare(u->unit_size), *at = unit->at;
	bool moved = copy && elsewhere && memcpy(copy, at, u->unit_size) &&
	             mremap(at, u->unit_size, u->unit_size, MREMAP_MAYMOVE | MREMAP_FIXED,
	                    elsewhere) != MAP_FAILED;
	if (!moved) {
		drop(copy, u->unit_size);
		drop(elsewhere, u->unit_size);
		return false;
	}
	unit->at = elsewhere;
	u->torn = true;
	if (mremap(copy, u->unit_size, u->unit_size, MREMAP_MAYMOVE | MREMAP_FIXED, at) ==
	    MAP_FAILED)
		out_of_memory();
	return true;
}

static void unpin(struct live_units *u, struct unit *unit)
{
	uint64_t number = unit->loan->unit;
	if (!swap_out(u, unit))
		return;
	unit->loan->units = NULL;
	unit->loan = NULL;
	u->lent--;
	is_free(u, number);
}

unsigned units_pinned(const struct live_units *u)
{
	return u->lent - (u->chunk != NULL);
}

void units_unpin(struct live_units *u, uint64_t older_than_ns)
{
	uint64_t now = clock_ns();
	for (uint32_t i = 0; i < u->count && units_pinned(u); i++) {
		struct loan *loan = u->units[i].loan;
		if (loan && loan->since_ns && now - loan->since_ns >= older_than_ns)
			unpin(u, &u->units[i]);
	}
}

/* All of it has been read. */
void units_leave(struct live_units *u)
{
	if (!u->chunk)
		return;
	slot_of(u, u->unit)->loan->since_ns = clock_ns();
	chunk_unref(u->chunk);
	u->chunk = NULL;
	u->taken = 0;
	u->unit++;
}

static uint32_t packets_of(const struct live_units *u, uint64_t unit)
{
	const struct tpacket_block_desc *d = (const void *)unit_at(u, unit);
	return u->version == TPACKET_V3 ? d->hdr.bh1.num_pkts : 1;
}

uint64_t units_ready(const struct live_units *u, uint32_t units)
{
	uint64_t count = 0;
	uint64_t end = u->unit + (units < u->count ? units : u->count);
	for (uint64_t i = u->unit; i < end && units_is_filled(u, i); i++)
		count += packets_of(u, i);
	return count > u->taken ? count - u->taken : 0;
}

void units_leave_out(struct live_units *u, uint32_t units)
{
	for (; units && units_is_filled(u, u->unit); units--) {
		u->unit++;
		u->taken = 0;
	}
}

bool units_has_more(const struct live_units *u)
{
	if (was_read(u, u->unit))
		return false;
	const struct tpacket_block_desc *d = (const void *)unit_at(u, u->unit);
	return units_is_filled(u, u->unit) || (u->version == TPACKET_V3 && d->hdr.bh1.num_pkts);
}
