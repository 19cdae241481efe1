/* SPDX-License-Identifier: BSD-2-Clause */
/* What every unit test begins with: libcheck, and a main that runs one suite. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>

/* How often something random is tried: a tenth where a sanitizer makes each time slow. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TIMES(n) ((n) / 10)
#endif
#endif
#ifndef TIMES
#define TIMES(n) (n)
#endif

/* The tests of a file: START_TEST(name) … END_TEST, then UNIT_TESTS("msg/pool", name, …). */
#define UNIT_TESTS(suite_name, ...)                                         \
	int main(void)                                                      \
	{                                                                   \
		const TTest *tests[] = {__VA_ARGS__};                       \
		Suite *suite = suite_create(suite_name);                    \
		for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) { \
			TCase *tcase = tcase_create(tests[i]->name);        \
			tcase_set_timeout(tcase, 0);                        \
			tcase_add_test(tcase, tests[i]);                    \
			suite_add_tcase(suite, tcase);                      \
		}                                                           \
		SRunner *runner = srunner_create(suite);                    \
		srunner_run_all(runner, CK_ENV);                            \
		int failed = srunner_ntests_failed(runner);                 \
		srunner_free(runner);                                       \
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;                \
	}

#endif
