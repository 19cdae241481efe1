/* SPDX-License-Identifier: BSD-2-Clause */
/* Dates as people write them. */
#include "base/date.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

/* Exactly so many digits, if what they say is in the range. */
static bool take_number(const char **s, int digits, int min, int max, int *n)
{
	*n = 0;
	for (int i = 0; i < digits; i++, ++*s) {
		if (**s < '0' || **s > '9')
			return false;
		*n = *n * 10 + (**s - '0');
	}
	return *n >= min && *n <= max;
}

static bool take_char(const char **s, const char *set)
{
	if (!**s || !strchr(set, **s))
		return false;
	++*s;
	return true;
}

static bool take_day(const char **s, struct tm *tm)
{
	if (!take_number(s, 4, 1, 9999, &tm->tm_year) || !take_char(s, "-") ||
	    !take_number(s, 2, 1, 12, &tm->tm_mon) || !take_char(s, "-") ||
	    !take_number(s, 2, 1, 31, &tm->tm_mday))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	struct tm real = *tm; /* no 30th of February */
	timegm(&real);
	return real.tm_mday == tm->tm_mday;
}

/* A leap second is the next one. */
static bool take_clock(const char **s, struct tm *tm, int64_t *fraction_ns)
{
	if (!take_number(s, 2, 0, 23, &tm->tm_hour) || !take_char(s, ":") ||
	    !take_number(s, 2, 0, 59, &tm->tm_min))
		return false;
	if (!take_char(s, ":"))
		return true;
	if (!take_number(s, 2, 0, 60, &tm->tm_sec))
		return false;
	if (!take_char(s, "."))
		return true;
	const char *digits = *s;
	for (int64_t place = NS_PER_S / 10; **s >= '0' && **s <= '9'; ++*s, place /= 10)
		*fraction_ns += (**s - '0') * place;
	return *s > digits;
}

static bool take_offset(const char **s, int *offset_s)
{
	int hours, minutes = 0, sign = **s == '-' ? -1 : 1;
	if (!**s || take_char(s, "Zz"))
		return true;
	if (!take_char(s, "+-") || !take_number(s, 2, 0, 23, &hours))
		return false;
	take_char(s, ":");
	if (**s && !take_number(s, 2, 0, 59, &minutes))
		return false;
	*offset_s = sign * (hours * 60 + minutes) * 60;
	return true;
}

int date_parse(const char *text, int64_t *ns)
{
	struct tm tm = {0};
	int64_t fraction_ns = 0, total;
	int offset_s = 0;
	const char *s = text;
	if (!take_day(&s, &tm))
		return -EINVAL;
	if (take_char(&s, "Tt ") && !take_clock(&s, &tm, &fraction_ns))
		return -EINVAL;
	if (!take_offset(&s, &offset_s) || *s)
		return -EINVAL;
	if (__builtin_mul_overflow((int64_t)timegm(&tm) - offset_s, NS_PER_S, &total) ||
	    __builtin_add_overflow(total, fraction_ns, ns))
		return -ERANGE;
	return 0;
}
