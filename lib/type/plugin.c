/* SPDX-License-Identifier: BSD-2-Clause */
/* dlopen, and what must be true of what it finds. */
#include "type/plugin.h"

#include "base/buf.h"
#include "base/map.h"
#include "base/name.h"
#include "type/type.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SUFFIX ".so"

/* "/usr/lib/pipetool/blocks/valve.so" → "valve", which C could have in a name; else NULL. */
static char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
	size_t length = strlen(file), suffix = strlen(SUFFIX);
	char *name = must_strdup(file);
	if (length > suffix)
		name[length - suffix] = '\0';
	if (name_is_block(name))
		return name;
	free(name);
	return NULL;
}

/* The linker would wait for ever at a pipe. */
static bool is_file(const char *path)
{
	struct stat st;
	return stat(path, &st) || S_ISREG(st.st_mode);
}

/* The linker's words, without the path that they begin with. */
static int refuse(const char *path, struct pt_error *err)
{
	const char *words = dlerror();
	size_t length = strlen(path);
	if (words && !strncmp(words, path, length) && !strncmp(words + length, ": ", 2))
		words += length + 2;
	return pt_fail(err, -PT_EIO, NULL, "%s", words ? words : "it cannot be opened");
}

static int add(void *library, const char *name, const char *path, struct pt_error *err)
{
	char *symbol = must_printf("pt_types_%s", name);
	const struct pt_type *const *types = dlsym(library, symbol);
	int rc = 0;
	size_t count = 0;
	if (!types)
		rc = pt_fail(err, -PT_EPARAM, NULL,
		             "no symbol '%s': its last line is PT_TYPES(%s, &type)", symbol, name);
	while (!rc && types[count])
		count++;
	if (!rc && !count)
		rc = pt_fail(err, -PT_EPARAM, NULL, "'%s' lists no type", symbol);
	if (!rc)
		rc = type_add_all(types, count, TYPE_NATIVE, path, err);
	free(symbol);
	return rc;
}

int plugin_open(const char *path, struct pt_error *err)
{
	static struct map opened;
	if (map_get(&opened, path))
		return 0;
	char *name = name_of(path);
	if (!name)
		return pt_fail(err, -PT_EPARAM, NULL,
		               "its name cannot be that of a C symbol: letters, digits and '_'");
	if (!is_file(path)) {
		free(name);
		return pt_fail(err, -PT_EIO, NULL, "it is not a file");
	}
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	char *kept = must_strdup(path);
	int rc = library ? add(library, name, kept, err) : refuse(path, err);
	if (!rc)
		map_set(&opened, kept, library);
	else if (library)
		dlclose(library);
	if (rc)
		free(kept);
	free(name);
	return rc;
}
