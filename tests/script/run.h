/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions on messages in one line: compile, apply, compare. */
#ifndef TESTS_SCRIPT_RUN_H
#define TESTS_SCRIPT_RUN_H

#include "unit.h"

#include "msg/pool.h"
#include "packet/packet.h"
#include "script/func.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static inline struct pt_func *compile_under(enum pt_kind kind, const char *text,
                                            const struct func_limits *limits)
{
	struct pt_func *f = NULL;
	struct pt_error err = PT_ERROR_INIT;
	int rc = func_compile(kind, text, limits, &f, &err);
	ck_assert_msg(!rc, "%s: %s", text, pt_error_text(&err, "no words"));
	return f;
}

static inline struct pt_func *transform(const char *text)
{
	return compile_under(PT_KIND_TRANSFORM, text, NULL);
}

static inline struct pt_func *predicate(const char *text)
{
	return compile_under(PT_KIND_PREDICATE, text, NULL);
}

/* The text is refused, and the first fault's words are these; an ending "…" leaves the rest
   open. */
static inline void refused(enum pt_kind kind, const char *text, const char *words)
{
	struct pt_func *f = NULL;
	struct pt_error err = PT_ERROR_INIT;
	int rc = func_compile(kind, text, NULL, &f, &err);
	ck_assert_msg(rc < 0, "%s: was taken", text);
	ck_assert_ptr_null(f);
	ck_assert_int_eq(rc, err.faults[0].code);
	const char *open = strstr(words, "…"), *said = pt_error_text(&err, "");
	ck_assert_msg(open ? !strncmp(said, words, (size_t)(open - words)) : !strcmp(said, words),
	              "%s: said '%s'", text, said);
	pt_error_clear(&err);
}

/* Ethernet, IPv4, UDP, "hello": the checksums are right. */
#define UDP_PACKET                                                       \
	"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0"                         \
	"\x45\0\0\x21\0\x01\0\0\x40\x11\x66\xc9\x0a\0\0\x01\x0a\0\0\x02" \
	"\x00\x35\x10\x00\x00\x0d\x97\xcahello"
/* Ethernet with a VLAN tag, IPv6, TCP with SYN, "hi". */
#define TCP6_PACKET                                                                            \
	"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x81\0\x60\x07\x86\xdd"                               \
	"\x60\0\0\0\0\x16\x06\x40"                                                             \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02" \
	"\x00\x50\x01\xbb\0\0\0\x01\0\0\0\x02\x50\x02\x10\0\xd9\xf4\0\0hi"

#define PACKET(pool, literal)                                                   \
	pt_msg_packet(pool, literal, sizeof literal - 1, sizeof literal - 1, 1, \
	              UINT64_C(1500000000123456789))

/* One that has a chunk of its own, so that a copy of it counts. */
static inline struct pt_msg *large_packet(struct pt_pool *pool)
{
	static uint8_t bytes[5000];
	memcpy(bytes, UDP_PACKET, sizeof UDP_PACKET - 1);
	return pt_msg_packet(pool, bytes, sizeof bytes, sizeof bytes, 1, 0);
}

static inline uint32_t sum_of(const uint8_t *bytes, size_t length, uint32_t sum)
{
	for (size_t i = 0; i < length; i++)
		sum += i & 1 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Whether the transport layer's checksum is right, counted over all that it covers. */
static inline bool sum_is_right(const struct pt_msg *m)
{
	struct packet_view v;
	packet_dissect(m, &v);
	bool six = packet_has(&v, PACKET_IP6);
	uint32_t network = v.offset[six ? PACKET_IP6 : PACKET_IP];
	uint32_t start = v.offset[v.ip_proto == 17 ? PACKET_UDP : PACKET_TCP];
	uint32_t end = v.offset[PACKET_PAYLOAD] + v.payload_length;
	uint32_t sum = v.ip_proto + (end - start);
	sum = sum_of(m->bytes + network + (six ? 8 : 12), six ? 32 : 8, sum);
	return sum_of(m->bytes + start, end - start, sum) == 0xffff;
}

/* The message that the text makes of `m`, which it takes. */
static inline struct pt_msg *applied(const char *text, struct pt_msg *m)
{
	struct pt_func *f = transform(text);
	struct pt_error err = PT_ERROR_INIT;
	int rc = func_transform(f, &m, &err);
	ck_assert_msg(!rc, "%s: %d, %s", text, rc, pt_error_text(&err, "no words"));
	func_free(f);
	return m;
}

static inline void expect_bytes(const char *what, struct pt_msg *m, const char *bytes,
                                size_t length)
{
	ck_assert_msg(m->length == length && !memcmp(m->bytes, bytes, length), "%s: made '%.*s'",
	              what, (int)m->length, (const char *)m->bytes);
	pt_msg_unref(m);
}

/* text(in) is out, on plain messages. */
static inline void becomes(const char *text, const char *in, const char *out)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = applied(text, pt_msg_new(pool, in, strlen(in)));
	ck_assert(!pt_msg_is_packet(m));
	expect_bytes(text, m, out, strlen(out));
	pool_free(pool);
}

/* What the text says of `m`, which it takes; words where that is an error, else NULL. */
static inline int tested(const char *text, struct pt_msg *m)
{
	struct pt_func *f = predicate(text);
	struct pt_error err = PT_ERROR_INIT;
	int rc = func_test(f, m, &err);
	ck_assert_msg(rc >= 0, "%s: %s", text, pt_error_text(&err, "no words"));
	func_free(f);
	pt_msg_unref(m);
	return rc;
}

static inline bool holds(const char *text, const char *in)
{
	struct pt_pool *pool = pool_new(0);
	int rc = tested(text, pt_msg_new(pool, in, strlen(in)));
	pool_free(pool);
	return rc;
}

static inline bool holds_of_udp(const char *text)
{
	struct pt_pool *pool = pool_new(0);
	int rc = tested(text, PACKET(pool, UDP_PACKET));
	pool_free(pool);
	return rc;
}

/* The transform fails on `m`, with words that hold these, and leaves it as it is. */
static inline void fails_with(struct pt_func *f, struct pt_msg *m, const char *words)
{
	struct pt_error err = PT_ERROR_INIT;
	char before[256];
	size_t length = m->length;
	memcpy(before, m->bytes, length);
	ck_assert_int_eq(func_transform(f, &m, &err), -PT_ESCRIPT);
	ck_assert_msg(strstr(pt_error_text(&err, ""), words), "said '%s', not '%s'",
	              pt_error_text(&err, ""), words);
	pt_error_clear(&err);
	expect_bytes(words, m, before, length);
}

static inline void fails_under(const struct func_limits *limits, const char *text,
                               const char *words)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_func *f = compile_under(PT_KIND_TRANSFORM, text, limits);
	fails_with(f, pt_msg_new(pool, "hello", 5), words);
	func_free(f);
	pool_free(pool);
}

static inline void fails(const char *text, const char *words)
{
	fails_under(NULL, text, words);
}

static inline void fails_on_udp(const char *text, const char *words)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_func *f = transform(text);
	fails_with(f, PACKET(pool, UDP_PACKET), words);
	func_free(f);
	pool_free(pool);
}

#endif
