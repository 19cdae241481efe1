/* SPDX-License-Identifier: BSD-2-Clause */
/* The registry: every block type by its name, in the order of the alphabet. */
#include "type/type.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/moment.h"
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
static struct entry {
	const struct pt_type *type;
	const char *origin;
	enum type_kind kind;
	int64_t time_ns;
} * entries, *replaced;
static size_t entry_count, replaced_count;

/* Where the name is, or would have to be put. */
static size_t place_of(const char *name)
{
	size_t low = 0, high = entry_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (strcmp(entries[middle].type->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct entry *find(const char *name)
{
	size_t place = place_of(name);
	bool found = place < entry_count && !strcmp(entries[place].type->name, name);
	return found ? &entries[place] : NULL;
}

static void put(struct entry entry)
{
	struct entry *old = find(entry.type->name);
	if (old) {
		replaced = must_realloc(replaced, replaced_count + 1, sizeof *replaced);
		replaced[replaced_count++] = *old;
		*old = entry;
		return;
	}
	size_t place = place_of(entry.type->name);
	entries = must_realloc(entries, entry_count + 1, sizeof *entries);
	memmove(entries + place + 1, entries + place, (entry_count - place) * sizeof *entries);
	entries[place] = entry;
	entry_count++;
}

static void put_builtin(void)
{
	for (const struct pt_type *const *const *file = type_builtin; *file; file++)
		for (const struct pt_type *const *type = *file; *type; type++) {
			assert(!find((*type)->name));
			put((struct entry){*type, NULL, TYPE_NATIVE, 0});
		}
}

const struct pt_type *type_find(const char *name)
{
	pthread_once(&once, put_builtin);
	pthread_rwlock_rdlock(&lock);
	const struct entry *entry = find(name);
	const struct pt_type *type = entry ? entry->type : NULL;
	pthread_rwlock_unlock(&lock);
	return type;
}

const char *type_origin(const char *name)
{
	pthread_once(&once, put_builtin);
	pthread_rwlock_rdlock(&lock);
	const struct entry *entry = find(name);
	const char *origin = entry ? entry->origin : NULL;
	pthread_rwlock_unlock(&lock);
	return origin;
}

static const struct entry *find_replaced(const struct pt_type *type)
{
	for (size_t i = replaced_count; i-- > 0;)
		if (replaced[i].type == type)
			return &replaced[i];
	return NULL;
}

bool type_coming(const struct pt_type *type, struct type_coming *coming)
{
	pthread_once(&once, put_builtin);
	pthread_rwlock_rdlock(&lock);
	const struct entry *entry = find(type->name);
	bool is_replaced = !entry || entry->type != type;
	if (is_replaced)
		entry = find_replaced(type);
	bool came = entry && entry->time_ns;
	if (came)
		*coming = (struct type_coming){entry->origin, entry->time_ns, is_replaced};
	pthread_rwlock_unlock(&lock);
	return came;
}

int type_each(int (*each)(void *arg, const struct pt_type *), void *arg)
{
	pthread_once(&once, put_builtin);
	pthread_rwlock_rdlock(&lock);
	size_t count = entry_count;
	const struct pt_type **all = must_calloc(count + 1, sizeof *all);
	for (size_t i = 0; i < count; i++)
		all[i] = entries[i].type;
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
	pt_fail(err, -PT_ENOTYPE, path, "no block type '%.60s'%s", name,
	        near_say(&near, "; 'ptctl types' lists them all"));
	json_t *names = json_array();
	type_each(add_name, names);
	char *allowed = json_dumps(names, JSON_COMPACT);
	error_allowed(err, allowed);
	free(allowed);
	json_decref(names);
	return NULL;
}

static int refuse_taken(const struct pt_type *const *types, size_t at, enum type_kind kind,
                        struct pt_error *err)
{
	const char *name = types[at]->name;
	for (size_t i = 0; i < at; i++)
		if (!strcmp(types[i]->name, name))
			return pt_fail(err, -PT_EEXISTS, "name", "two types have the name '%s'",
			               name);
	const struct entry *old = find(name);
	if (!old || (kind == TYPE_SCRIPT && old->kind == TYPE_SCRIPT))
		return 0;
	return pt_fail(err, -PT_EEXISTS, "name", "there is a block type '%s' already: it %s%s",
	               name, old->origin ? "comes from " : "is built in",
	               old->origin ? old->origin : "");
}

int type_add_all(const struct pt_type *const *types, size_t count, enum type_kind kind,
                 const char *origin, struct pt_error *err)
{
	int code = 0;
	for (size_t i = 0; i < count && !code; i++)
		code = table_check(types[i], err);
	if (code)
		return code;
	pthread_once(&once, put_builtin);
	pthread_rwlock_wrlock(&lock);
	for (size_t i = 0; i < count && !code; i++)
		code = refuse_taken(types, i, kind, err);
	for (size_t i = 0; i < count && !code; i++)
		put((struct entry){types[i], origin, kind, moment_now()});
	pthread_rwlock_unlock(&lock);
	return code;
}

static struct entry *last_replaced(const char *name)
{
	for (size_t i = replaced_count; i-- > 0;)
		if (!strcmp(replaced[i].type->name, name))
			return &replaced[i];
	return NULL;
}

static void take_back(const struct pt_type *type)
{
	struct entry *now = find(type->name), *before = last_replaced(type->name);
	if (!now || now->type != type)
		return;
	if (before) {
		*now = *before;
		memmove(before, before + 1,
		        (size_t)(replaced + replaced_count - before - 1) * sizeof *before);
		replaced_count--;
	} else {
		memmove(now, now + 1, (size_t)(entries + entry_count - now - 1) * sizeof *now);
		entry_count--;
	}
}

void type_take_back(const struct pt_type *const *types)
{
	pthread_rwlock_wrlock(&lock);
	for (; *types; types++)
		take_back(*types);
	pthread_rwlock_unlock(&lock);
}

int type_add(const struct pt_type *type, struct pt_error *err)
{
	return type_add_all(&type, 1, TYPE_NATIVE, NULL, err);
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
