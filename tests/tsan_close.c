/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In builds with ThreadSanitizer, which knows what threads do with a descriptor by its number.
 * libuv closes by a system call of its own, of which the sanitizer does not hear: it then took what
 * one thread had done with a number, and another with that of a later descriptor, for a race.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WORDS = 6 };

__attribute__((visibility("default"))) long syscall(long number, ...)
{
	long words[WORDS];
	va_list args;
	va_start(args, number);
	for (int i = 0; i < WORDS; i++)
		words[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_close)
		return close((int)words[0]);
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	return real(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
