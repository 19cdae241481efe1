/* SPDX-License-Identifier: BSD-2-Clause */
/* The registry: every block type by its name, in the order of the alphabet. */
#include "type/type.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/near.h"
#include "type/table.h"
#include <assert.h>
#include <ctype.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static const struct pt_type **types;
static size_t type_count;

/* Where the name is, or would have to be put. */
static size_t place_of(const char *name)
{
	size_t low = 0, high = type_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (strcmp(types[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct pt_type *at(size_t place, const char *name)
{
	bool found = place < type_count && !strcmp(types[place]->name, name);
	return found ? types[place] : NULL;
}

static void put(const struct pt_type *type)
{
	size_t place = place_of(type->name);
	assert(!at(place, type->name));
	types = must_realloc(types, type_count + 1, sizeof *types);
	memmove(types + place + 1, types + place, (type_count - place) * sizeof *types);
	types[place] = type;
	type_count++;
}

static void put_builtin(void)
{
	for (const struct pt_type *const *const *file = type_builtin; *file; file++)
		for (const struct pt_type *const *type = *file; *type; type++)
			put(*type);
}

const struct pt_type *type_find(const char *name)
{
	pthread_once(&once, put_builtin);
	pthread_rwlock_rdlock(&lock);
	const struct pt_type *type = at(place_of(name), name);
	pthread_rwlock_unlock(&lock);
	return type;
}

int type_each(int (*each)(void *arg, const struct pt_type *), void *arg)
{
	pthread_once(&once, put_builtin);
	pthread_rwlock_rdlock(&lock);
	size_t count = type_count;
	const struct pt_type **all = must_calloc(count + 1, sizeof *all);
	for (size_t i = 0; i < count; i++)
		all[i] = types[i];
	pthread_rwlock_unlock(&lock);
	int stop = 0;
	for (size_t i = 0; i < count && !stop; i++)
		stop = each(arg, all[i]);
	free(all);
	return stop;
}

static int try_near(void *near, const struct pt_type *type)
{
	near_try(near, type->name);
	return 0;
}

static int add_name(void *names, const struct pt_type *type)
{
	json_array_append_new(names, json_string(type->name));
	return 0;
}

const struct pt_type *type_get(const char *name, const char *path, struct pt_error *err)
{
	const struct pt_type *type = type_find(name);
	if (type || !err)
		return type;
	struct near near = near_init(name);
	type_each(try_near, &near);
	if (near_best(&near))
		pt_fail(err, -PT_ENOTYPE, path, "no block type '%.60s'; did you mean '%s'?", name,
		        near_best(&near));
	else
		pt_fail(err, -PT_ENOTYPE, path,
		        "no block type '%.60s'; 'ptctl types' lists them all", name);
	json_t *names = json_array();
	type_each(add_name, names);
	char *allowed = json_dumps(names, JSON_COMPACT);
	error_allowed(err, allowed);
	free(allowed);
	json_decref(names);
	return NULL;
}

int type_add(const struct pt_type *type, struct pt_error *err)
{
	int code = table_check(type, err);
	if (code)
		return code;
	pthread_once(&once, put_builtin);
	pthread_rwlock_wrlock(&lock);
	bool taken = at(place_of(type->name), type->name);
	if (!taken)
		put(type);
	pthread_rwlock_unlock(&lock);
	if (taken)
		return pt_fail(err, -PT_EEXISTS, "name", "there is a block type '%s' already",
		               type->name);
	return 0;
}

char *type_snake_name(const char *name)
{
	struct buf b = BUF_INIT;
	for (size_t i = 0; name[i]; i++) {
		unsigned char c = (unsigned char)name[i], next = (unsigned char)name[i + 1];
		bool begins =
			isupper(c) && i && (!isupper((unsigned char)name[i - 1]) || islower(next));
		if (begins && name[i - 1] != '_')
			buf_addc(&b, '_');
		buf_addc(&b, (char)tolower(c));
	}
	return buf_steal(&b);
}
