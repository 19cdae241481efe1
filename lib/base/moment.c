/* SPDX-License-Identifier: BSD-2-Clause */
/* Moments and spans as numbers and as text, none of which goes through a double unless asked. */
#include "base/moment.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define US_NS  1000
#define EDGE_S 9223372036.0 /* what whole seconds fit, on both sides */

int64_t moment_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * MOMENT_S + now.tv_nsec;
}

double moment_seconds(int64_t ns)
{
	int64_t whole = ns / MOMENT_S;
	return (double)whole + (double)(ns % MOMENT_S) / 1e9;
}

int moment_from_seconds(double seconds, int64_t *ns)
{
	double whole = floor(seconds);
	if (!(whole >= -EDGE_S && whole < EDGE_S))
		return -ERANGE;
	int64_t whole_ns = (int64_t)whole * MOMENT_S;
	*ns = whole_ns + llround((seconds - whole) * 1e6) * US_NS;
	if (moment_seconds(*ns) != seconds)
		*ns = whole_ns + llround((seconds - whole) * 1e9);
	return 0;
}

void moment_print(int64_t ns, char text[MOMENT_MAX])
{
	uint64_t size = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	snprintf(text, MOMENT_MAX, "%s%" PRIu64 ".%09" PRIu64, ns < 0 ? "-" : "", size / MOMENT_S,
	         size % MOMENT_S);
}

static int add(int64_t *sum, int64_t count, int64_t unit_ns)
{
	int64_t ns;
	if (__builtin_mul_overflow(count, unit_ns, &ns) || __builtin_add_overflow(*sum, ns, sum))
		return -ERANGE;
	return 0;
}

/* Adds the digits at *at, with a fraction, of a unit which `ns_of` tells from what stands behind
   them; all of a sign, so that the least moment can be said. */
static int read_number(const char **at, bool negative, int64_t (*ns_of)(const char **),
                       int64_t *sum)
{
	const char *digits = *at, *fraction = digits + strspn(digits, "0123456789"),
		   *end = fraction;
	if (fraction == digits)
		return -EINVAL;
	if (*end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	*at = end;
	int64_t unit_ns = ns_of(at), count = 0;
	if (!unit_ns)
		return -EINVAL;
	for (; digits < fraction; digits++)
		if (__builtin_mul_overflow(count, 10, &count) ||
		    __builtin_add_overflow(count, negative ? '0' - *digits : *digits - '0', &count))
			return -ERANGE;
	int rc = add(sum, count, unit_ns);
	for (digits = fraction + 1; !rc && digits < end; digits++) {
		int64_t digit = *digits - '0';
		if (digit && (!unit_ns || unit_ns % 10))
			return -EINVAL;
		unit_ns /= 10;
		rc = add(sum, negative ? -digit : digit, unit_ns);
	}
	return rc;
}

static int64_t seconds_at(const char **at)
{
	return **at ? 0 : MOMENT_S;
}

int moment_parse(const char *text, int64_t *ns)
{
	bool negative = *text == '-';
	int64_t sum = 0;
	text += negative;
	int rc = read_number(&text, negative, seconds_at, &sum);
	if (!rc)
		*ns = sum;
	return rc;
}

static int64_t unit_at(const char **at)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
		{"ns", 1},
		{"us", US_NS},
		{"ms", 1000 * US_NS},
		{"s", MOMENT_S},
		{"m", 60 * MOMENT_S},
		{"h", 3600 * MOMENT_S},
		{"d", 86400 * MOMENT_S},
	};
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		size_t length = strlen(units[i].name);
		if (strncmp(*at, units[i].name, length) == 0) {
			*at += length;
			return units[i].ns;
		}
	}
	return 0;
}

int moment_parse_span(const char *text, int64_t *ns)
{
	bool negative = *text == '-';
	int64_t sum = 0;
	int rc = 0;
	text += *text == '-' || *text == '+';
	do
		rc = read_number(&text, negative, unit_at, &sum);
	while (!rc && *text);
	if (!rc)
		*ns = sum;
	return rc;
}
