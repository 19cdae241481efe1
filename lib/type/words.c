/* SPDX-License-Identifier: BSD-2-Clause */
/* Sizes and times as people write them. */
#include "type/param.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Digits with an optional fraction, without exponent and independent of the locale. Returns the
   unit that follows, or NULL. */
static const char *parse_decimal(const char *s, uint64_t *whole, double *fraction)
{
	uint64_t n = 0;
	double f = 0, place = 0.1;
	const char *p = s;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, (uint64_t)10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
			return NULL;
	if (p == s)
		return NULL;
	if (*p == '.') {
		const char *digits = ++p;
		for (; *p >= '0' && *p <= '9'; p++, place /= 10)
			f += (*p - '0') * place;
		if (p == digits)
			return NULL;
	}
	*whole = n;
	*fraction = f;
	const char *unit = p + strspn(p, " ");
	return *unit ? unit : *p ? NULL : p;
}

static int size_unit(const char *s, uint64_t *factor)
{
	static const char letters[] = "kMGT";
	uint64_t f = 1;
	if (*s) {
		char letter = *s == 'K' ? 'k' : *s;
		const char *place = strchr(letters, letter);
		if (place) {
			s++;
			uint64_t base = *s == 'i' ? 1024 : 1000;
			if (*s == 'i')
				s++;
			for (const char *l = letters; l <= place; l++)
				f *= base;
		}
		if (*s == 'B')
			s++;
	}
	if (*s)
		return -EINVAL;
	*factor = f;
	return 0;
}

int param_parse_size(const char *text, uint64_t *bytes)
{
	uint64_t whole, factor, total;
	double fraction;
	const char *unit = parse_decimal(text, &whole, &fraction);
	if (!unit)
		return -EINVAL;
	if (size_unit(unit, &factor) || (factor == 1 && fraction != 0) ||
	    __builtin_mul_overflow(whole, factor, &total) ||
	    __builtin_add_overflow(total, (uint64_t)(fraction * (double)factor + 0.5), &total))
		return -EINVAL;
	*bytes = total;
	return 0;
}

int param_parse_seconds(const char *text, double *seconds)
{
	static const struct {
		const char *name;
		double factor;
	} units[] = {{"", 1},      {"s", 1},  {"ms", 1e-3}, {"us", 1e-6}, {"µs", 1e-6},
	             {"ns", 1e-9}, {"m", 60}, {"min", 60},  {"h", 3600},  {"d", 86400}};
	uint64_t whole;
	double fraction;
	const char *unit = parse_decimal(text, &whole, &fraction);
	if (!unit)
		return -EINVAL;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (!strcmp(units[i].name, unit)) {
			*seconds = ((double)whole + fraction) * units[i].factor;
			return 0;
		}
	return -EINVAL;
}
