/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that must be had, and the last line where it cannot. */
#include "base/memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *last_words = "";

void out_of_memory_says(const char *words)
{
	last_words = words;
}

static void say(const char *text)
{
	ssize_t n = write(STDERR_FILENO, text, strlen(text));
	(void)n;
}

void out_of_memory(void)
{
	char line[256];
	size_t used = 0;
	const char *const parts[] = {program_invocation_short_name, ": error: out of memory",
	                             last_words, "\n"};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		for (const char *at = parts[i]; *at && used < sizeof line - 1; at++)
			line[used++] = *at;
	line[used] = '\0';
	say(line);
	_exit(EXIT_FAILURE);
}

bool memory_is_there(size_t size)
{
	void *volatile probe =
		malloc(size); /* else the compiler takes it as had, and asks nobody */
	bool there = probe != NULL;
	free(probe);
	return there;
}

void *must_malloc(size_t size)
{
	void *p = malloc(size ? size : 1);
	if (!p)
		out_of_memory();
	return p;
}

void *must_calloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);
	if (!p)
		out_of_memory();
	return p;
}

void *must_realloc(void *old, size_t count, size_t size)
{
	void *p = reallocarray(old, count ? count : 1, size ? size : 1);
	if (!p)
		out_of_memory();
	return p;
}

char *must_strdup(const char *text)
{
	char *copy = strdup(text);
	if (!copy)
		out_of_memory();
	return copy;
}

char **texts_copy(const char *const *texts)
{
	size_t count = 0;
	while (texts && texts[count])
		count++;
	char **copy = texts ? must_calloc(count + 1, sizeof *copy) : NULL;
	for (size_t i = 0; i < count; i++)
		copy[i] = must_strdup(texts[i]);
	return copy;
}

void texts_free(char **texts)
{
	for (size_t i = 0; texts && texts[i]; i++)
		free(texts[i]);
	free(texts);
}

char *must_printf(const char *fmt, ...)
{
	char *text;
	va_list args;
	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		out_of_memory();
	va_end(args);
	return text;
}
