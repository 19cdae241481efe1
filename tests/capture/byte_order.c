/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of the other byte order: what libpcap reads in them is the measure. */
#include "capture/file.h"

#include <pcap/pcap.h>

#define PACKETS 2000
#define ROOM    160

/* Mostly zeros and small numbers, so that lengths, counts and versions make sense. */
static struct file of_random_packets(uint32_t link_type)
{
	struct file f = {.big = true};
	put_pcap(&f, 0xa1b2c3d4, link_type);
	for (uint32_t n = 0; n < PACKETS; n++) {
		uint8_t bytes[ROOM];
		for (unsigned i = 0; i < ROOM; i++)
			bytes[i] = (uint8_t)(random() % 2 ? 0 : random() % (i % 8 ? 16 : 256));
		put_record(&f, n, 0, bytes, (uint32_t)(random() % (ROOM + 1)));
	}
	return f;
}

static void compare(struct file f)
{
	char error[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *head;
	const u_char *bytes;
	pcap_t *theirs = pcap_fopen_offline(fmemopen(f.bytes.data, f.bytes.length, "r"), error);
	ck_assert_msg(theirs != NULL, "%s", error);
	struct reading r = read_bytes(f.bytes.data, f.bytes.length);
	ck_assert_uint_eq(r.count, PACKETS);
	for (unsigned i = 0; i < PACKETS; i++) {
		ck_assert_int_eq(pcap_next_ex(theirs, &head, &bytes), 1);
		ck_assert_uint_eq(r.messages[i]->length, head->caplen);
		if (head->caplen)
			ck_assert_mem_eq(r.messages[i]->bytes, bytes, head->caplen);
	}
	reading_end(&r);
	pcap_close(theirs);
	buf_free(&f.bytes);
}

START_TEST(packets_are_turned_as_libpcap_turns_them)
{
	static const uint32_t types[] = {0, 1, 108, 113, 189, 220, 227, 239, 276};
	srandom(11);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		compare(of_random_packets(types[i]));
}
END_TEST

UNIT_TESTS("capture/byte_order", packets_are_turned_as_libpcap_turns_them)
