/* SPDX-License-Identifier: BSD-2-Clause */
/* ConsoleSink and RawConsoleSink. */
#include "rig.h"
#include "unit.h"

START_TEST(it_prints_as_python_would)
{
	struct rig *r = rig("ConsoleSink", "");
	push(r, LOW, "foo");
	push(r, HIGH, "it's\n");
	push(r, LOW, "\xff\x01");
	expect_printed(r, ">'foo'\n>>\"it's\\n\"\n>'\\xff\\x01'\n");
	rig_end(r);
}
END_TEST

START_TEST(a_packet_is_a_summary)
{
	static const unsigned char packet[] = {0x45, 0, 0,  20, 0, 1, 0,  0, 64, 0,
	                                       0,    0, 10, 0,  0, 1, 10, 0, 0,  2};
	struct rig *r = rig("ConsoleSink", "");
	push_packet(r, packet, sizeof packet, 101);
	expect_printed_prefix(r, ">IP 10.0.0.1 > 10.0.0.2");
	rig_end(r);
}
END_TEST

START_TEST(raw_prints_the_bytes)
{
	struct rig *r = rig("RawConsoleSink", "");
	push(r, LOW, "foo");
	push(r, HIGH, "it's");
	expect_printed(r, "foo\nit's\n");
	rig_end(r);
}
END_TEST

START_TEST(raw_without_newlines)
{
	struct rig *r = rig("RawConsoleSink", "newlines=False");
	push(r, LOW, "foo");
	push(r, HIGH, "");
	push(r, HIGH, "bar");
	expect_printed(r, "foobar");
	rig_end(r);
}
END_TEST

UNIT_TESTS("blocks/console_sink", it_prints_as_python_would, a_packet_is_a_summary,
           raw_prints_the_bytes, raw_without_newlines)
