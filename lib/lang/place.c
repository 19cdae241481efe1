/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the place in the text that a request's path means. */
#include "lang/place.h"

#include <stdlib.h>
#include <string.h>

void place_set(json_t *places, const char *path, struct lang_place place)
{
	json_int_t at = (json_int_t)place.line << 32 | place.column;
	json_object_set_new(places, path, json_integer(at));
}

struct lang_place place_get(const json_t *places, const char *path)
{
	json_int_t at = json_integer_value(json_object_get(places, path));
	return (struct lang_place){(unsigned)(at >> 32), (unsigned)at};
}

enum which { ANY, BLOCK, LINK };

static bool is_op(const struct lang_program *program, size_t op, enum which which)
{
	bool is_link = json_object_get(json_array_get(program->ops, op), "from");
	return which == ANY || is_link == (which == LINK);
}

/* Of "ops[3].params.port": the op, and ".params.port". */
static const char *find_op(const struct lang_program *program, const char *path, size_t *op)
{
	/* clang-format off */
	static const struct {
		const char *list;
		enum which which;
	} lists[] = {{"ops[", ANY}, {"blocks[", BLOCK}, {"links[", LINK}};
	/* clang-format on */
	if (!strncmp(path, "$.", 2))
		path += 2;
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		if (strncmp(path, lists[i].list, strlen(lists[i].list)) != 0)
			continue;
		char *rest;
		unsigned long number = strtoul(path + strlen(lists[i].list), &rest, 10);
		for (*op = 0; *op < json_array_size(program->ops); ++*op)
			if (is_op(program, *op, lists[i].which) && !number--)
				return *rest == ']' ? rest + 1 : NULL;
	}
	return NULL;
}

/* Of "params.rotate.size", "params.rotate"; 0 where nothing is left. */
static size_t parent_length(const char *path, size_t length)
{
	while (length && path[length - 1] != '.' && path[length - 1] != '[')
		length--;
	return length ? length - 1 : 0;
}

struct lang_place lang_locate(const struct lang_program *program, const char *path)
{
	size_t op;
	const char *rest = path ? find_op(program, path, &op) : NULL;
	if (!rest)
		return (struct lang_place){0, 0};
	struct lang_place place = program->places[op];
	char *key = must_strdup(*rest == '.' ? rest + 1 : rest);
	for (size_t length = strlen(key); length > 0; length = parent_length(key, length)) {
		key[length] = 0;
		struct lang_place found =
			place_get(json_array_get(program->argument_places, op), key);
		if (!found.line)
			continue;
		place = found;
		break;
	}
	free(key);
	return place;
}
