/* SPDX-License-Identifier: BSD-2-Clause */
/* Patterns by themselves: classes, what is malformed, and the budget. That they match as Lua's own
   do is in lua_string.c. */
#include "unit.h"

#include "script/pattern.h"
#include <ctype.h>
#include <setjmp.h>
#include <string.h>

static struct pattern_node nodes[256];

static unsigned long spent;
static jmp_buf enough;

static void charge(void *arg, unsigned steps)
{
	(void)arg;
	spent += steps;
	if (spent > 1000000)
		longjmp(enough, 1);
}

static const char *match(const char *text, const char *subject, size_t length)
{
	struct pattern p;
	struct pattern_match m = {.subject = subject, .end = subject + length, .charge = charge};
	ck_assert_ptr_null(pattern_parse(&p, nodes, text, strlen(text), true));
	return pattern_match(&m, &p, subject);
}

static bool takes(const char *class, int c)
{
	char byte = (char)c;
	return match(class, &byte, 1) == &byte + 1;
}

START_TEST(classes_are_those_of_ctype)
{
	static const struct {
		const char *in, *out;
		int (*is)(int);
	} all[] = {
		{"%a", "%A", isalpha},  {"%c", "%C", iscntrl}, {"%d", "%D", isdigit},
		{"%g", "%G", isgraph},  {"%l", "%L", islower}, {"%p", "%P", ispunct},
		{"%s", "%S", isspace},  {"%u", "%U", isupper}, {"%w", "%W", isalnum},
		{"%x", "%X", isxdigit},
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		for (int c = 0; c < 256; c++) {
			ck_assert_int_eq(takes(all[i].in, c), !!all[i].is(c));
			ck_assert_int_eq(takes(all[i].out, c), !all[i].is(c));
		}
	}
}
END_TEST

START_TEST(a_set_holds_what_it_names)
{
	for (int c = 1; c < 256; c++) {
		ck_assert_int_eq(takes("[a-c%d_]", c),
		                 (c >= 'a' && c <= 'c') || isdigit(c) || c == '_');
		ck_assert_int_eq(takes("[^a-c]", c), c < 'a' || c > 'c');
		ck_assert_int_eq(takes("[]x]", c), c == ']' || c == 'x');
		ck_assert_int_eq(takes("[^]x]", c), c != ']' && c != 'x');
		ck_assert_int_eq(takes("[a-]", c), c == 'a' || c == '-');
		ck_assert_int_eq(takes("[%]%-]", c), c == ']' || c == '-');
		ck_assert_int_eq(takes("[\x80-\xff]", c), c >= 0x80);
	}
}
END_TEST

START_TEST(a_malformed_pattern_is_refused_before_it_is_used)
{
	static const char *const wrong[] = {
		"%",   "a%", "[",   "[a", "[^",  "[^]", "[]", "[a%",  "[%]",   "(",  "(a",   "a)",
		"())", "%b", "%bx", "%f", "%fa", "%f[", "%1", "(%1)", "(a)%2", "%0", "((a)", "%9",
	};
	struct pattern p;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		ck_assert_msg(pattern_parse(&p, nodes, wrong[i], strlen(wrong[i]), true),
		              "'%s' was taken", wrong[i]);
}
END_TEST

START_TEST(captures_and_repetitions_have_a_bound)
{
	char text[1024] = "";
	struct pattern p;
	static struct pattern_node many[1025];
	for (int i = 0; i < PATTERN_CAPTURES; i++)
		strcat(text, "()");
	ck_assert_ptr_null(pattern_parse(&p, many, text, strlen(text), true));
	strcat(text, "()");
	ck_assert_ptr_nonnull(pattern_parse(&p, many, text, strlen(text), true));
	memset(text, 0, sizeof text);
	for (int i = 0; i < 200; i++)
		strcat(text, "a*");
	ck_assert_ptr_null(pattern_parse(&p, many, text, strlen(text), true));
	strcat(text, "a*");
	ck_assert_ptr_nonnull(pattern_parse(&p, many, text, strlen(text), true));
}
END_TEST

START_TEST(backtracking_is_charged_for)
{
	static const char *const slow[] = {
		"a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?b",
		".-.-.-.-.-b",
		"a*a*a*a*a*a*b",
		"(a+)%1.-a+a+b",
	};
	char subject[400];
	memset(subject, 'a', sizeof subject);
	for (volatile size_t i = 0; i < sizeof slow / sizeof *slow; i++) {
		spent = 0;
		if (!setjmp(enough)) {
			match(slow[i], subject, sizeof subject);
			ck_abort_msg("'%s' ended by itself", slow[i]);
		}
	}
}
END_TEST

START_TEST(a_capture_is_what_its_last_try_was)
{
	struct pattern p;
	const char *subject = "aab:x";
	struct pattern_match m = {.subject = subject, .end = subject + 5, .charge = charge};
	ck_assert_ptr_null(pattern_parse(&p, nodes, "(a-)(b?):()", 11, true));
	ck_assert_ptr_eq(pattern_match(&m, &p, subject), subject + 4);
	ck_assert_int_eq(p.captures, 3);
	ck_assert_ptr_eq(m.captures[0].start, subject);
	ck_assert_int_eq(m.captures[0].length, 2);
	ck_assert_int_eq(m.captures[1].length, 1);
	ck_assert_ptr_eq(m.captures[2].start, subject + 4);
	ck_assert_int_eq(m.captures[2].length, PATTERN_POSITION);
}
END_TEST

START_TEST(plain_is_what_has_no_magic)
{
	ck_assert(pattern_is_plain("ab c\0]", 6));
	ck_assert(!pattern_is_plain("a.b", 3));
	ck_assert(!pattern_is_plain("a\0%", 3));
}
END_TEST

UNIT_TESTS("script/pattern", classes_are_those_of_ctype, a_set_holds_what_it_names,
           a_malformed_pattern_is_refused_before_it_is_used, captures_and_repetitions_have_a_bound,
           backtracking_is_charged_for, a_capture_is_what_its_last_try_was,
           plain_is_what_has_no_magic)
