/* SPDX-License-Identifier: BSD-2-Clause */
/* AES-128 and scrypt by libcrypto, which is loaded where it is first needed: most engines never
   do. */
#include "packet/inside.h"
#include "base/buf.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libcrypto.so.3"

static struct {
	pthread_mutex_t lock;
	bool loaded;
	__typeof__(EVP_CIPHER_CTX_new) *new;
	__typeof__(EVP_CIPHER_CTX_free) *free;
	__typeof__(EVP_CIPHER_CTX_set_padding) *set_padding;
	__typeof__(EVP_aes_128_ecb) *aes_128_ecb;
	__typeof__(EVP_EncryptInit_ex) *init;
	__typeof__(EVP_EncryptUpdate) *update;
	__typeof__(EVP_PBE_scrypt) *scrypt;
} crypto = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct cipher {
	EVP_CIPHER_CTX *context;
};

static bool symbols(void *library)
{
	struct {
		const char *name;
		void *place;
	} wanted[] = {
		{"EVP_CIPHER_CTX_new", &crypto.new},
		{"EVP_CIPHER_CTX_free", &crypto.free},
		{"EVP_CIPHER_CTX_set_padding", &crypto.set_padding},
		{"EVP_aes_128_ecb", &crypto.aes_128_ecb},
		{"EVP_EncryptInit_ex", &crypto.init},
		{"EVP_EncryptUpdate", &crypto.update},
		{"EVP_PBE_scrypt", &crypto.scrypt},
	};

	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		void **place = wanted[i].place;
		*place = dlsym(library, wanted[i].name);
		if (!*place)
			return false;
	}
	return true;
}

static int load_locked(struct pt_error *err)
{
	if (crypto.loaded)
		return 0;
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library || !symbols(library)) {
		int code =
			pt_fail(err, -ELIBACC, NULL, "the cipher cannot be loaded: %s", dlerror());
		pt_hint(err, "install OpenSSL 3 (" LIBRARY ")");
		if (library)
			dlclose(library);
		return code;
	}
	crypto.loaded = true;
	return 0;
}

static int load(struct pt_error *err)
{
	pthread_mutex_lock(&crypto.lock);
	int code = load_locked(err);
	pthread_mutex_unlock(&crypto.lock);
	return code;
}

int cipher_new(const uint8_t key[16], struct cipher **cipher, struct pt_error *err)
{
	int code = load(err);
	if (code)
		return code;

	EVP_CIPHER_CTX *context = crypto.new();
	if (!context || !crypto.init(context, crypto.aes_128_ecb(), NULL, key, NULL) ||
	    !crypto.set_padding(context, 0)) {
		crypto.free(context);
		return pt_fail(err, -ENOTSUP, NULL, "%s refuses AES-128", LIBRARY);
	}
	*cipher = must_calloc(1, sizeof **cipher);
	(*cipher)->context = context;
	return 0;
}

void cipher_free(struct cipher *cipher)
{
	if (!cipher)
		return;
	crypto.free(cipher->context);
	free(cipher);
}

void cipher_encrypt(struct cipher *cipher, const uint8_t *in, uint8_t *out, size_t blocks)
{
	int written = 0, size = (int)(blocks * 16);
	int done = crypto.update(cipher->context, out, &written, in, size);
	assert(done && written == size);
}

int packet_key_stretch(const char *passphrase, uint8_t key[32], struct pt_error *err)
{
	static const uint8_t salt[] = {'p', 'i', 'p', 'e', 't', 'o', 'o', 'l'};
	enum { N = 16384, R = 8, P = 1, MEMORY_MAX = 64 << 20 };
	int code = load(err);
	if (code)
		return code;
	if (!crypto.scrypt(passphrase, strlen(passphrase), salt, sizeof salt, N, R, P, MEMORY_MAX,
	                   key, 32))
		return pt_fail(err, -ENOMEM, NULL, "%s cannot stretch a passphrase", LIBRARY);
	return 0;
}
