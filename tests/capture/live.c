/* SPDX-License-Identifier: BSD-2-Clause */
/* Live capture on the loopback interface of a network namespace of the test's own. */
#include "unit.h"

#include "base/buf.h"
#include "capture/interface.h"
#include "capture/live.h"
#include "capture/live_filter.h"
#include "msg/pool.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* False where namespaces may not be made: there is nothing to test on then. */
static bool own_network(void)
{
	static int made = -1;
	if (made < 0) {
		made = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
		if (!made)
			fprintf(stderr, "no network namespace: %s\n", strerror(errno));
	}
	return made;
}

static void set_loopback(bool up)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_name = "lo"};
	ck_assert_int_eq(ioctl(fd, SIOCGIFFLAGS, &ifr), 0);
	ifr.ifr_flags = (short)(up ? ifr.ifr_flags | IFF_UP : ifr.ifr_flags & ~IFF_UP);
	ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
	close(fd);
}

static void send_to(uint16_t port, const char *text)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = {.sin_family = AF_INET,
	                         .sin_port = htons(port),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	ck_assert_int_eq(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&to, sizeof to),
	                 (ssize_t)strlen(text));
	close(fd);
}

static struct live_config config(const char *filter)
{
	return (struct live_config){.iface = "lo",
	                            .socket = -1,
	                            .filter = filter,
	                            .snaplen = 2000,
	                            .buffer_size = 1 << 20};
}

/* The first packets, waited for. */
static unsigned await_up_to(struct live *l, struct pt_pool *pool, struct pt_msg **messages,
                            unsigned max)
{
	for (;;) {
		int n = live_read(l, pool, messages, max, NULL);
		ck_assert_int_ge(n, 0);
		if (n > 0)
			return (unsigned)n;
		struct pollfd p = {.fd = live_fd(l), .events = POLLIN};
		ck_assert_int_eq(poll(&p, 1, -1), 1);
	}
}

static unsigned await(struct live *l, struct pt_pool *pool, struct pt_msg **messages)
{
	return await_up_to(l, pool, messages, 64);
}

static void read_one(struct live *l, struct pt_pool *pool, const char *text)
{
	struct pt_msg *m;
	await_up_to(l, pool, &m, 1);
	ck_assert_mem_eq(m->bytes + 42, text, strlen(text));
	pt_msg_unref(m);
}

static void expect_udp(struct live_config c)
{
	struct live *l;
	struct pt_msg *m[64];
	struct pt_error err = PT_ERROR_INIT;
	struct pt_pool *pool = pool_new(0);
	set_loopback(true);
	ck_assert_msg(live_open(&c, &l, NULL, &err) == 0, "%s", pt_error_text(&err, "?"));
	send_to(9, "no");
	send_to(53, "hello");
	unsigned count = await(l, pool, m);
	ck_assert_uint_eq(m[0]->length, 14 + 20 + 8 + 5);
	ck_assert_mem_eq(m[0]->bytes + 42, "hello", 5);
	ck_assert_uint_eq(m[0]->link_type, 1);
	ck_assert_uint_eq(m[0]->wire_length, m[0]->length);
	ck_assert_uint_gt(m[0]->time_ns, UINT64_C(1600000000000000000));
	msg_unref_many(m, count);
	live_release(l);
	live_close(l);
	pool_free(pool);
}

START_TEST(an_interface_is_captured_through_a_filter)
{
	if (own_network())
		expect_udp(config("udp dst port 53"));
}
END_TEST

START_TEST(a_packet_socket_that_was_handed_over)
{
	if (!own_network())
		return;
	set_loopback(true);
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(3));
	const struct sockaddr_ll to = {.sll_family = AF_PACKET,
	                               .sll_protocol = htons(3),
	                               .sll_ifindex = (int)if_nametoindex("lo")};
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&to, sizeof to), 0);
	send_to(53, "before the filter");
	struct live_config c = config("udp dst port 53");
	c.socket = fd;
	expect_udp(c);
	close(fd);
}
END_TEST

static void expect_refusal(const struct live_config *c, int code, const char *path,
                           const char *words)
{
	struct live *l;
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_int_eq(live_open(c, &l, NULL, &err), code);
	ck_assert_str_eq(err.faults[0].path, path);
	ck_assert_msg(strstr(err.faults[0].message, words), "%s", err.faults[0].message);
	pt_error_clear(&err);
}

/* More of them than the ring has blocks for, and each is held, as a block may that does not ask. */
START_TEST(what_is_held_too_long_gets_memory_of_its_own)
{
	if (!own_network())
		return;
	enum { ROUNDS = 40 };
	struct live *l;
	struct pt_msg *held[ROUNDS * 2], *m[64];
	unsigned count = 0;
	struct pt_pool *pool = pool_new(0);
	struct live_config c = config("udp dst port 53");
	c.buffer_size = 65536;
	set_loopback(true);
	ck_assert_int_eq(live_open(&c, &l, NULL, NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		char text[16];
		snprintf(text, sizeof text, "packet %02d", i);
		send_to(53, text);
		unsigned came = await(l, pool, m);
		ck_assert_uint_eq(came, 1);
		held[count++] = m[0];
		live_unpin(l, 0);
		ck_assert(!live_is_pinned(l));
	}
	live_release(l);
	live_close(l);
	for (unsigned i = 0; i < count; i++) {
		char text[16];
		snprintf(text, sizeof text, "packet %02u", i);
		ck_assert_uint_eq(held[i]->length, 42 + 9);
		ck_assert_mem_eq(held[i]->bytes + 42, text, 9);
	}
	msg_unref_many(held, count);
	pool_free(pool);
}
END_TEST

/* Also where it was asked for before anything was read: a unit is entered in the middle then. */
START_TEST(a_mark_stays_where_it_is_until_something_is_read)
{
	if (!own_network())
		return;
	struct live *l;
	struct live_marks mark, again;
	struct pt_pool *pool = pool_new(0);
	struct live_config c = config("udp dst port 53");
	set_loopback(true);
	ck_assert_int_eq(live_open(&c, &l, NULL, NULL), 0);
	live_keep(l, true);
	for (mark.ring.packet = 0; !mark.ring.packet;) { /* until two of them are in one block */
		send_to(53, "one");
		send_to(53, "two");
		read_one(l, pool, "one");
		live_mark(l, &mark);
		if (!mark.ring.packet)
			read_one(l, pool, "two");
	}
	int fd = dup(live_socket(l));
	live_release(l);
	live_close(l);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(
			live_resume(&c, &(struct live_fds){dup(fd), -1}, &mark, &l, NULL, NULL), 0);
		live_mark(l, &again);
		ck_assert_uint_eq(again.ring.unit, mark.ring.unit);
		ck_assert_uint_eq(again.ring.packet, mark.ring.packet);
		if (i == 2)
			read_one(l, pool, "two");
		live_release(l);
		live_close(l);
	}
	close(fd);
	pool_free(pool);
}
END_TEST

/* As a process that ends leaves it. */
static void leave(struct live *l, struct live_fds *fds, struct live_marks *marks)
{
	ck_assert(live_mark(l, marks));
	*fds = (struct live_fds){dup(live_socket(l)), dup(live_standby_socket(l))};
	live_release(l);
	live_close(l);
}

static void pace(void)
{
	const struct timespec pause = {.tv_nsec = 3000000};
	nanosleep(&pause, NULL);
}

/* Far more than there are blocks, a packet each 3 ms, and each comes once, in order. */
static void expect_slow_link(struct live_config c)
{
	enum { COUNT = 80 };
	struct live *l;
	struct live_fds fds;
	struct live_marks marks;
	struct pt_pool *pool = pool_new(0);
	char text[16];
	unsigned sent = 0, read = 0;
	uint64_t kernel, memory;
	set_loopback(true);
	c.stored = true;
	ck_assert_int_eq(live_open(&c, &l, NULL, NULL), 0);
	live_keep(l, true);
	ck_assert_int_ge(live_standby_socket(l), 0);
	for (int round = 0; round < 2; round++) {
		leave(l, &fds, &marks);
		for (int i = 0; i < COUNT; i++, pace()) {
			snprintf(text, sizeof text, "packet %03u", sent++);
			send_to(53, text);
		}
		ck_assert_int_eq(live_resume(&c, &fds, &marks, &l, NULL, NULL), 0);
		for (int i = 0; i < 2; i++) {
			snprintf(text, sizeof text, "packet %03u", sent++);
			send_to(53, text);
		}
		for (; read < sent; read++) {
			snprintf(text, sizeof text, "packet %03u", read);
			read_one(l, pool, text);
		}
		live_mark(l, &marks);
		live_pass(l, &marks);
	}
	live_lost(l, &kernel, &memory);
	ck_assert_uint_eq(kernel, 0);
	live_release(l);
	live_close(l);
	pool_free(pool);
}

START_TEST(a_slow_link_s_ring_lasts_while_nobody_reads)
{
	if (own_network())
		expect_slow_link(config("udp dst port 53"));
}
END_TEST

START_TEST(so_it_does_where_each_packet_comes_at_once)
{
	struct live_config c = config("udp dst port 53");
	c.immediate = true;
	c.buffer_size = 64 * 4096;
	if (own_network())
		expect_slow_link(c);
}
END_TEST

/* A block of the standby's is open for almost a second, and the ring would last for 50 ms. */
START_TEST(the_ring_does_not_wait_for_the_standby_until_it_is_full)
{
	enum { COUNT = 60, ALL = COUNT + 1 };
	if (!own_network())
		return;
	struct live *l;
	struct live_fds fds;
	struct live_marks marks;
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m[64];
	struct live_config c = config("udp dst port 53");
	uint64_t kernel, memory;
	unsigned count = 0;
	c.stored = true;
	c.buffer_size = 1 << 18;
	set_loopback(true);
	ck_assert_int_eq(live_open(&c, &l, NULL, NULL), 0);
	live_keep(l, true);
	leave(l, &fds, &marks);
	send_to(53, "meanwhile");
	ck_assert_int_eq(live_resume(&c, &fds, &marks, &l, NULL, NULL), 0);
	for (int i = 0; i < COUNT; i++, pace()) {
		send_to(53, "again");
		int n = live_read(l, pool, m, 64, NULL);
		ck_assert_int_ge(n, 0);
		msg_unref_many(m, (unsigned)n);
		count += (unsigned)n;
		live_mark(l, &marks);
		live_pass(l, &marks);
	}
	for (unsigned n; count < ALL; count += n) {
		n = await(l, pool, m);
		msg_unref_many(m, n);
	}
	live_lost(l, &kernel, &memory);
	ck_assert_uint_eq(kernel, 0);
	ck_assert_uint_eq(count, ALL);
	live_release(l);
	live_close(l);
	pool_free(pool);
}
END_TEST

static void expect_trouble(struct pt_error *trouble, const char *words)
{
	ck_assert_uint_eq(trouble->count, 1);
	ck_assert_msg(strstr(trouble->faults[0].message, words), "%s", trouble->faults[0].message);
	pt_error_clear(trouble);
}

/* The capture goes on all the same. */
START_TEST(a_standby_that_is_lost_is_told)
{
	if (!own_network())
		return;
	struct live *l;
	struct live_fds fds;
	struct live_marks marks;
	struct pt_error trouble = PT_ERROR_INIT;
	struct pt_pool *pool = pool_new(0);
	struct live_config c = config("udp dst port 53");
	c.stored = true;
	set_loopback(true);
	ck_assert_int_eq(live_open(&c, &l, &trouble, NULL), 0);
	ck_assert_uint_eq(trouble.count, 0);
	live_keep(l, true);
	leave(l, &fds, &marks);
	close(fds.standby);
	fds.standby = open("/dev/null", O_RDONLY);
	ck_assert_int_eq(live_resume(&c, &fds, &marks, &l, &trouble, NULL), 0);
	expect_trouble(&trouble, "no daemon was there");
	send_to(53, "again");
	read_one(l, pool, "again");
	live_release(l);
	live_close(l);
	pool_free(pool);
}
END_TEST

/* Where descriptors are just enough for one ring. */
START_TEST(a_standby_that_cannot_be_had_is_told)
{
	if (!own_network())
		return;
	struct live *l;
	struct pt_error trouble = PT_ERROR_INIT;
	struct pt_pool *pool = pool_new(0);
	struct live_config c = config("udp dst port 53");
	struct rlimit before, few;
	int rc = -EMFILE;
	c.stored = true;
	set_loopback(true);
	getrlimit(RLIMIT_NOFILE, &before);
	for (few = before, few.rlim_cur = 3; rc && few.rlim_cur < 100; few.rlim_cur++) {
		setrlimit(RLIMIT_NOFILE, &few);
		rc = live_open(&c, &l, &trouble, NULL);
	}
	setrlimit(RLIMIT_NOFILE, &before);
	ck_assert_int_eq(rc, 0);
	expect_trouble(&trouble, "a second ring cannot be had");
	send_to(53, "one");
	read_one(l, pool, "one");
	live_release(l);
	live_close(l);
	pool_free(pool);
}
END_TEST

/* What is told is that the old one stays. */
START_TEST(a_filter_that_the_standby_refuses_is_refused)
{
	if (!own_network())
		return;
	struct live *l;
	struct live_filter *f;
	struct pt_pool *pool = pool_new(0);
	struct live_config c = config("udp dst port 53"), other = config("udp dst port 54");
	const int lock = 1;
	c.stored = true;
	set_loopback(true);
	ck_assert_int_eq(live_open(&c, &l, NULL, NULL), 0);
	ck_assert_int_eq(live_filter_new(&other, &f, NULL), 0);
	ck_assert_int_eq(
		setsockopt(live_standby_socket(l), SOL_SOCKET, SO_LOCK_FILTER, &lock, sizeof lock),
		0);
	ck_assert_int_eq(live_change(l, f), -EPERM);
	send_to(54, "other");
	send_to(53, "one");
	read_one(l, pool, "one");
	live_filter_free(f);
	live_release(l);
	live_close(l);
	pool_free(pool);
}
END_TEST

/* Which the user may give a group of his own by `fanout`. */
START_TEST(the_group_of_a_standby_has_no_small_number)
{
	if (!own_network())
		return;
	struct live *l[2];
	struct live_config c = config(NULL);
	uint32_t group[2];
	socklen_t size = sizeof *group;
	c.stored = true;
	set_loopback(true);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(live_open(&c, &l[i], NULL, NULL), 0);
		ck_assert_int_eq(
			getsockopt(live_socket(l[i]), SOL_PACKET, PACKET_FANOUT, &group[i], &size),
			0);
		ck_assert_uint_ge(group[i] & 0xffff, 0x8000);
	}
	ck_assert_uint_ne(group[0], group[1]);
	for (int i = 0; i < 2; i++) {
		live_release(l[i]);
		live_close(l[i]);
	}
}
END_TEST

static unsigned rings_mapped(void)
{
	char line[1024];
	unsigned count = 0;
	FILE *maps = fopen("/proc/self/maps", "re");
	while (fgets(line, sizeof line, maps))
		count += strstr(line, "socket:[") != NULL;
	fclose(maps);
	return count;
}

/* What comes goes to it when the process has ended, and to the first when another has begun. */
START_TEST(the_standby_takes_no_memory_while_it_stands_by)
{
	if (!own_network())
		return;
	struct live *l;
	struct live_fds fds;
	struct live_marks marks;
	struct pt_pool *pool = pool_new(0);
	struct live_config c = config("udp dst port 53");
	unsigned before = rings_mapped();
	c.stored = true;
	set_loopback(true);
	ck_assert_int_eq(live_open(&c, &l, NULL, NULL), 0);
	live_keep(l, true);
	ck_assert_uint_eq(rings_mapped() - before, 1);
	leave(l, &fds, &marks);
	send_to(53, "meanwhile");
	ck_assert_int_eq(live_resume(&c, &fds, &marks, &l, NULL, NULL), 0);
	send_to(53, "again");
	read_one(l, pool, "meanwhile");
	ck_assert_uint_eq(rings_mapped() - before, 2);
	live_mark(l, &marks);
	live_pass(l, &marks);
	ck_assert_uint_eq(rings_mapped() - before, 1);
	ck_assert_uint_eq(marks.standby.unit, 1);
	read_one(l, pool, "again");
	live_mark(l, &marks);
	ck_assert_uint_eq(marks.ring.unit, 1);
	ck_assert_uint_eq(marks.standby.unit, 1);
	live_release(l);
	live_close(l);
	pool_free(pool);
}
END_TEST

START_TEST(what_cannot_be_captured_says_why)
{
	if (!own_network())
		return;
	struct live_config c = config(NULL);
	c.iface = "l0";
	expect_refusal(&c, -ENODEV, "iface", "no interface 'l0'; did you mean 'lo'?");
	c = config("tcp prt 5");
	expect_refusal(&c, -EINVAL, "filter", "syntax error");
	c = config(NULL);
	c.socket = open("/dev/null", O_RDONLY | O_CLOEXEC);
	expect_refusal(&c, -ENOTSOCK, "socket", "not a packet socket");
	close(c.socket);
	c.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	expect_refusal(&c, -EPROTOTYPE, "socket", "another one than AF_PACKET");
	close(c.socket);
}
END_TEST

START_TEST(an_interface_that_goes_down_is_seen)
{
	if (!own_network())
		return;
	struct live *l;
	struct pt_msg *m[64];
	struct pt_pool *pool = pool_new(0);
	const struct live_config c = config(NULL);
	set_loopback(true);
	ck_assert_int_eq(live_open(&c, &l, NULL, NULL), 0);
	ck_assert(!live_is_down(l));
	set_loopback(false);
	struct pollfd p = {.fd = live_fd(l), .events = POLLIN};
	ck_assert_int_eq(poll(&p, 1, -1), 1);
	ck_assert_int_eq(live_read(l, pool, m, 64, NULL), 0);
	ck_assert(live_is_down(l));
	set_loopback(true);
	send_to(53, "again");
	msg_unref_many(m, await(l, pool, m));
	live_release(l);
	live_close(l);
	pool_free(pool);
}
END_TEST

START_TEST(the_loopback_is_the_default_only_where_it_is_alone)
{
	if (!own_network())
		return;
	set_loopback(true);
	char *name = interface_default();
	ck_assert_str_eq(name, "lo");
	free(name);
	set_loopback(false);
	ck_assert_ptr_null(interface_default());
	set_loopback(true);
}
END_TEST

START_TEST(filters_are_checked_for_any_link)
{
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_int_eq(live_check_filter("tcp port 80 or vlan", NULL), 0);
	ck_assert_int_eq(live_check_filter("type mgt", NULL), 0);
	ck_assert_int_eq(live_check_filter("tcp port", &err), -EINVAL);
	ck_assert_str_eq(err.faults[0].path, "filter");
	pt_error_clear(&err);
}
END_TEST

UNIT_TESTS("capture/live", an_interface_is_captured_through_a_filter,
           a_packet_socket_that_was_handed_over, what_is_held_too_long_gets_memory_of_its_own,
           a_mark_stays_where_it_is_until_something_is_read,
           a_slow_link_s_ring_lasts_while_nobody_reads, so_it_does_where_each_packet_comes_at_once,
           the_ring_does_not_wait_for_the_standby_until_it_is_full, a_standby_that_is_lost_is_told,
           a_standby_that_cannot_be_had_is_told, a_filter_that_the_standby_refuses_is_refused,
           the_group_of_a_standby_has_no_small_number,
           the_standby_takes_no_memory_while_it_stands_by, what_cannot_be_captured_says_why,
           an_interface_that_goes_down_is_seen, the_loopback_is_the_default_only_where_it_is_alone,
           filters_are_checked_for_any_link)
