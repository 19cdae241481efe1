/* SPDX-License-Identifier: BSD-2-Clause */
/* libmicrohttpd, loaded once. */
#include "daemon/http_inside.h"
#include <dlfcn.h>
#include <errno.h>

#define LIBRARY "libmicrohttpd.so.12"

struct http_library mhd;

int http_library_load(struct pt_error *err)
{
	struct {
		const char *name;
		void *place;
	} const wanted[] = {
#define HTTP_FUNCTION(name) {"MHD_" #name, &mhd.name},
		HTTP_FUNCTIONS(HTTP_FUNCTION)
#undef HTTP_FUNCTION
	};
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	bool good = library;
	for (size_t i = 0; good && i < sizeof wanted / sizeof *wanted; i++) {
		void **place = wanted[i].place;
		good = (*place = dlsym(library, wanted[i].name));
	}
	if (good)
		return 0;
	pt_fail(err, -ELIBACC, NULL, "[http] is not served, its library cannot be loaded: %s",
	        dlerror());
	pt_hint(err, "install libmicrohttpd (" LIBRARY ")");
	return -ELIBACC;
}
