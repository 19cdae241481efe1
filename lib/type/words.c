/* SPDX-License-Identifier: BSD-2-Clause */
/* Kinds of value in words, and sizes and times as people write them. */
#include "type/param.h"

#include "base/buf.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct kind {
	const char *name;
	const char *words; /* "must be …" */
};

/* clang-format off */
static const struct kind kinds[] = {
	[PT_KIND_BOOL]      = {"bool", "true or false"},
	[PT_KIND_INT]       = {"int", "an integer"},
	[PT_KIND_NUMBER]    = {"number", "a number"},
	[PT_KIND_SIZE]      = {"size", "a size such as 4096 or '64MiB'"},
	[PT_KIND_SECONDS]   = {"seconds", "a time such as 0.5 (seconds) or '100ms'"},
	[PT_KIND_STRING]    = {"string", "text"},
	[PT_KIND_PATH]      = {"path", "a file's path"},
	[PT_KIND_FILE]      = {"file", "a file's path, or a descriptor that comes with the request: "
	 "{\"fd\": 0}"},
	[PT_KIND_CHOICE]    = {"choice", "one of"},
	[PT_KIND_BYTES]     = {"bytes", "text, {\"hex\": …} or {\"base64\": …}"},
	[PT_KIND_MESSAGES]  = {"messages", "a message or a list of messages: text, {\"hex\": …} or "
	 "{\"base64\": …}"},
	[PT_KIND_STRINGS]   = {"strings", "text or a list of texts"},
	[PT_KIND_TRANSFORM] = {"transform", "the text of a function, as 'reverse' or 'function(m) "
	 "return m end'"},
	[PT_KIND_PREDICATE] = {"predicate", "the text of a predicate, as 'always' or 'function(m) "
	 "return #m > 100 end'"},
	[PT_KIND_LINKTYPE]  = {"linktype", "a link type: a number from 0 to 65535, a name such as "
	 "'EN10MB', or None"},
	[PT_KIND_FD]        = {"fd", "a descriptor that comes with the request: its number from 0, "
	 "or {\"fd\": 0}; or the name of one that the daemon was started with"},
	[PT_KIND_OBJECT]    = {"object", "an object"},
	[PT_KIND_LIST]      = {"list", "a list"},
	[PT_KIND_VARIANTS]  = {"variants", "a list of objects, each with its \"op\""},
	[PT_KIND_JSON]      = {"json", "any value"},
	[PT_KIND_FILTER]    = {"filter", "a capture filter, as 'tcp port 443'"},
};
/* clang-format on */

#define KINDS (sizeof kinds / sizeof *kinds)

static const struct kind *kind_of(enum pt_kind kind)
{
	static const struct kind unknown = {"unknown", "of a known kind"};
	return (size_t)kind < KINDS && kinds[kind].name ? &kinds[kind] : &unknown;
}

const char *param_kind_name(enum pt_kind kind)
{
	return kind_of(kind)->name;
}

int param_kind_parse(const char *name, enum pt_kind *kind)
{
	for (unsigned i = 1; i < KINDS; i++)
		if (!strcmp(kinds[i].name, name)) {
			*kind = (enum pt_kind)i;
			return 0;
		}
	return -EINVAL;
}

void param_range_doc(struct buf *b, double min, double max)
{
	if (max > min && max < 1e9)
		buf_addf(b, " From %.16g to %.16g.", min, max);
	else if (min != 0)
		buf_addf(b, " At least %.16g.", min);
}

static void add_range(struct buf *b, const struct pt_param *row)
{
	if (row->min == 0 && row->max == 0)
		return;
	if (row->max < row->min)
		buf_addf(b, " of at least %.16g", row->min);
	else
		buf_addf(b, " from %.16g to %.16g", row->min, row->max);
}

char *param_kind_words(const struct pt_param *row)
{
	struct buf b = BUF_INIT;
	buf_adds(&b, kind_of(row->kind)->words);
	if (row->kind == PT_KIND_OBJECT && row->choices)
		buf_adds(&b, ", or one of");
	for (const char *const *c = row->choices; c && *c; c++)
		buf_addf(&b, "%s '%s'", c == row->choices ? "" : ",", *c);
	if (row->kind == PT_KIND_INT || row->kind == PT_KIND_NUMBER || row->kind == PT_KIND_SIZE ||
	    row->kind == PT_KIND_SECONDS)
		add_range(&b, row);
	return buf_steal(&b);
}

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
