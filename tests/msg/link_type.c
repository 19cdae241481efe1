/* SPDX-License-Identifier: BSD-2-Clause */
/* Link types by name and by number. */
#include "unit.h"
#include "msg/link_type.h"

#include <pipetool/msg.h>

#include <errno.h>

START_TEST(names_are_libpcaps_and_numbers_those_of_files)
{
	static const struct {
		const char *name;
		uint16_t number;
	} rows[] = {
		{"NULL", 0},         {"EN10MB", 1},     {"PPP", 9},    {"PPP_SERIAL", 50},
		{"RAW", 101},        {"C_HDLC", 104},   {"LOOP", 108}, {"LINUX_SLL", 113},
		{"IEEE802_11", 105}, {"ATM_CLIP", 106}, {"IPV4", 228}, {"IPV6", 229},
		{"LINUX_SLL2", 276}, {"PPP_ETHER", 51},
	};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint16_t number = PT_NO_LINK_TYPE;
		ck_assert_str_eq(link_type_name(rows[i].number), rows[i].name);
		ck_assert_int_eq(link_type_parse(rows[i].name, &number), 0);
		ck_assert_uint_eq(number, rows[i].number);
	}
}
END_TEST

START_TEST(every_name_leads_back_to_its_number)
{
	for (uint16_t number = 0; number < PT_NO_LINK_TYPE; number++) {
		const char *name = link_type_name(number);
		uint16_t back;
		if (!name)
			continue;
		ck_assert_int_eq(link_type_parse(name, &back), 0);
		ck_assert_uint_eq(back, number);
	}
	ck_assert_ptr_null(link_type_name(PT_NO_LINK_TYPE));
	ck_assert_ptr_null(link_type_name(12)); /* RAW, but not in files */
}
END_TEST

START_TEST(numbers_and_nonsense)
{
	uint16_t number = 7;
	ck_assert_int_eq(link_type_parse("65535", &number), -EINVAL);
	ck_assert_int_eq(link_type_parse("1x", &number), -EINVAL);
	ck_assert_int_eq(link_type_parse("", &number), -EINVAL);
	ck_assert_int_eq(link_type_parse("ethernet2", &number), -EINVAL);
	ck_assert_uint_eq(number, 7);
	ck_assert_int_eq(link_type_parse("147", &number), 0);
	ck_assert_uint_eq(number, 147);
}
END_TEST

UNIT_TESTS("msg/link_type", names_are_libpcaps_and_numbers_those_of_files,
           every_name_leads_back_to_its_number, numbers_and_nonsense)
