/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads numbers; reals by way of JSON, whose reader minds no locale. */
#include "lang/number.h"

#include "base/buf.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

static unsigned base_of(const char *text, size_t length)
{
	if (length < 2 || *text != '0')
		return 10;
	switch (text[1]) {
	case 'x':
	case 'X': return 16;
	case 'o':
	case 'O': return 8;
	case 'b':
	case 'B': return 2;
	default: return 10;
	}
}

static bool is_digit(char c, unsigned base)
{
	unsigned value = isdigit((unsigned char)c)    ? (unsigned)(c - '0')
	                 : isxdigit((unsigned char)c) ? (unsigned)(tolower(c) - 'a' + 10)
	                                              : 99;
	return value < base;
}

/* Without the _ between digits and with small letters; -EINVAL if one stands elsewhere. */
static int clean(struct buf *b, const char *text, size_t length, unsigned base)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] != '_') {
			buf_addc(b, (char)tolower((unsigned char)text[i]));
			continue;
		}
		bool after = i > 0 && (is_digit(text[i - 1], base) || (base != 10 && i == 2));
		if (!after || i + 1 == length || !is_digit(text[i + 1], base))
			return -EINVAL;
	}
	return 0;
}

static int to_integer(const char *digits, unsigned base, bool negative, json_t **value)
{
	uint64_t n = 0, limit = (uint64_t)INT64_MAX + negative;
	if (!*digits)
		return -EINVAL;
	for (const char *s = digits; *s; s++)
		if (!is_digit(*s, base))
			return -EINVAL;
	for (; *digits; digits++) {
		unsigned digit = (unsigned)(*digits <= '9' ? *digits - '0' : *digits - 'a' + 10);
		if (__builtin_mul_overflow(n, (uint64_t)base, &n) ||
		    __builtin_add_overflow(n, (uint64_t)digit, &n) || n > limit)
			return -ERANGE;
	}
	*value = json_integer((json_int_t)(negative ? 0 - n : n));
	return 0;
}

static size_t digits_at(const char *s)
{
	return strspn(s, "0123456789");
}

/* As JSON writes it: 1. is 1.0, .5 is 0.5, 007.5 is 7.5. */
static int to_json(struct buf *b, const char *s)
{
	size_t whole = digits_at(s), fraction = s[whole] == '.' ? digits_at(s + whole + 1) : 0;
	if (whole + fraction == 0)
		return -EINVAL;
	size_t zeros = strspn(s, "0");
	if (zeros >= whole)
		buf_addc(b, '0');
	else
		buf_add(b, s + zeros, whole - zeros);
	s += whole;
	buf_addc(b, '.');
	if (*s == '.')
		s++;
	buf_add(b, fraction ? s : "0", fraction ? fraction : 1);
	s += fraction;
	if (*s == 'e') {
		size_t sign = s[1] == '+' || s[1] == '-';
		size_t exponent = digits_at(s + 1 + sign);
		buf_add(b, s, 1 + sign + exponent);
		s += exponent ? 1 + sign + exponent : 0;
	}
	return *s ? -EINVAL : 0;
}

static int to_real(const char *digits, bool negative, json_t **value)
{
	struct buf b = BUF_INIT;
	json_error_t error;
	json_t *real = NULL;
	buf_adds(&b, negative ? "-" : "");
	int code = to_json(&b, digits);
	if (!code) {
		real = json_loadb(b.data, b.length, JSON_DECODE_ANY, &error);
		code = real ? 0 : -ERANGE;
	}
	buf_free(&b);
	if (!code)
		*value = real;
	return code;
}

static int convert(const char *digits, unsigned base, bool negative, json_t **value)
{
	if (base != 10)
		return to_integer(digits + 2, base, negative, value);
	if (digits[strspn(digits, "0123456789")])
		return to_real(digits, negative, value);
	if (*digits == '0' && digits[strspn(digits, "0")])
		return -EINVAL;
	return to_integer(digits, base, negative, value);
}

int number_read(const char *text, size_t length, bool negative, json_t **value, const char **wrong)
{
	struct buf b = BUF_INIT;
	unsigned base = base_of(text, length);
	int code = clean(&b, text, length, base);
	if (!code)
		code = convert(b.data, base, negative, value);
	buf_free(&b);
	if (code == -ERANGE)
		*wrong = "this number is too large; integers have 64 bits";
	else if (code)
		*wrong = "this is not a number; text stands in quotes";
	return code;
}
