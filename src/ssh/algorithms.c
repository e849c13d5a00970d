#include "ssh/algorithms.h"

#include <string.h>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "base/mem.h"
#include "base/str.h"
#include "ssh/cipher.h"
#include "ssh/evp.h"
#include "ssh/kex_method.h"
#include "ssh/mac.h"

/* ---- what there is, of each kind ---- */

/* A name of the kind; NULL after the last. */
typedef const char *name_at(size_t index);

static const char *kex_name_at(size_t index)
{
	const struct kex_method *method = kex_method_at(index);

	return method ? method->name : NULL;
}

static bool kex_is_available(const char *name)
{
	return kex_method_find(span_of(name)) != NULL;
}

/* The best first: certificates, since they say more than a known key does, then by cost and size. No ssh-rsa: that is SHA-1. */
static const struct {
	const char *name;
	const char *signature; /* OpenSSL's name */
} host_keys[] = {
    {"ssh-ed25519-cert-v01@openssh.com", "ED25519"},
    {"ecdsa-sha2-nistp256-cert-v01@openssh.com", "ECDSA"},
    {"ecdsa-sha2-nistp384-cert-v01@openssh.com", "ECDSA"},
    {"ecdsa-sha2-nistp521-cert-v01@openssh.com", "ECDSA"},
    {"sk-ssh-ed25519-cert-v01@openssh.com", "ED25519"},
    {"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "ECDSA"},
    {"rsa-sha2-512-cert-v01@openssh.com", "RSA"},
    {"rsa-sha2-256-cert-v01@openssh.com", "RSA"},
    {"ssh-ed25519", "ED25519"},
    {"ecdsa-sha2-nistp256", "ECDSA"},
    {"ecdsa-sha2-nistp384", "ECDSA"},
    {"ecdsa-sha2-nistp521", "ECDSA"},
    {"sk-ssh-ed25519@openssh.com", "ED25519"},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "ECDSA"},
    {"rsa-sha2-512", "RSA"},
    {"rsa-sha2-256", "RSA"},
};

static const char *host_key_at(size_t index)
{
	return index < ARRAY_LEN(host_keys) ? host_keys[index].name : NULL;
}

static bool host_key_is_available(const char *name)
{
	size_t i = 0;

	while (strcmp(host_keys[i].name, name) != 0)
		i++;
	return evp_has_signature(host_keys[i].signature);
}

static const char *cipher_name_at(size_t index)
{
	const struct cipher_info *info = cipher_at(index);

	return info ? info->name : NULL;
}

static bool cipher_is_available(const char *name)
{
	return cipher_find(span_of(name)) != NULL;
}

static const char *mac_name_at(size_t index)
{
	const struct mac_info *info = mac_at(index);

	return info ? info->name : NULL;
}

static bool mac_is_available(const char *name)
{
	return mac_find(span_of(name)) != NULL;
}

static bool is_asked_for_by_name_only(const char *name)
{
	return strncmp(name, "hmac-sha1", strlen("hmac-sha1")) == 0;
}

static const struct {
	const char *name;
	name_at *at;
	bool (*is_available)(const char *name);
} kinds[] = {
    [ALGORITHM_KEX] = {"key exchange", kex_name_at, kex_is_available},
    [ALGORITHM_HOST_KEY] = {"host key algorithm", host_key_at, host_key_is_available},
    [ALGORITHM_CIPHER] = {"cipher", cipher_name_at, cipher_is_available},
    [ALGORITHM_MAC] = {"MAC", mac_name_at, mac_is_available},
};

static bool is_available(enum algorithm_kind kind, const char *name)
{
	return kinds[kind].is_available(name);
}

const char *algorithms_kind_name(enum algorithm_kind kind)
{
	return kinds[kind].name;
}

/* ---- lists ---- */

/* Has the processor instructions for AES and for the multiplication of GCM? Without them AES is slow, and in constant time
 * slower still. */
static bool processor_has_aes(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__)
	const unsigned long both = HWCAP_AES | HWCAP_PMULL;

	return (getauxval(AT_HWCAP) & both) == both;
#else
	return false;
#endif
}

static void add_name(struct strbuf *list, const char *name)
{
	strbuf_addf(list, "%s%s", list->n ? "," : "", name);
}

/* The ciphers' table has AES-GCM first; where that is slow what is best in software goes before it. */
static void add_ciphers(struct strbuf *list)
{
	static const char chachapoly[] = "chacha20-poly1305@openssh.com";
	bool aes_first = processor_has_aes();

	if (!aes_first && cipher_is_available(chachapoly))
		add_name(list, chachapoly);
	for (size_t i = 0; cipher_name_at(i); i++)
		if (cipher_is_available(cipher_name_at(i)) &&
		    (aes_first || strcmp(cipher_name_at(i), chachapoly) != 0))
			add_name(list, cipher_name_at(i));
}

static void add_all(struct strbuf *list, enum algorithm_kind kind, bool (*leave_out)(const char *))
{
	const char *name;

	for (size_t i = 0; (name = kinds[kind].at(i)); i++)
		if (is_available(kind, name) && !(leave_out && leave_out(name)))
			add_name(list, name);
}

const char *algorithms_default(enum algorithm_kind kind)
{
	static struct strbuf lists[ARRAY_LEN(kinds)];

	if (lists[kind].n == 0) {
		if (kind == ALGORITHM_CIPHER)
			add_ciphers(&lists[kind]);
		else
			add_all(&lists[kind], kind, is_asked_for_by_name_only);
	}
	return strbuf_text(&lists[kind]);
}

const char *algorithms_known(enum algorithm_kind kind)
{
	static struct strbuf lists[ARRAY_LEN(kinds)];

	if (lists[kind].n == 0)
		add_all(&lists[kind], kind, NULL);
	return strbuf_text(&lists[kind]);
}

/* ---- names ---- */

int algorithms_check(enum algorithm_kind kind, const char *name, struct err *e)
{
	const char *names[ARRAY_LEN(host_keys) + 8];
	size_t count = 0;

	for (; kinds[kind].at(count); count++) {
		names[count] = kinds[kind].at(count);
		if (strcmp(names[count], name) != 0)
			continue;
		if (is_available(kind, name))
			return 0;
		return err_set(
		    e, ERR_CONFIG, "the %s %s is not available here", kinds[kind].name, name);
	}
	const char *near = str_nearest(name, names, count);
	if (near)
		return err_set(e, ERR_CONFIG, "unknown %s \"%s\"; did you mean %s?",
		    kinds[kind].name, name, near);
	return err_set(e, ERR_CONFIG, "unknown %s \"%s\"", kinds[kind].name, name);
}

bool algorithms_choose(struct span client, struct span server, struct span *ret_name)
{
	struct span ours, theirs;

	while (name_list_next(&client, &ours))
		for (struct span rest = server; name_list_next(&rest, &theirs);)
			if (ours.n && span_equal(ours, theirs)) {
				*ret_name = ours;
				return true;
			}
	return false;
}
