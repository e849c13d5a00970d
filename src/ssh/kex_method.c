#include "ssh/kex_method.h"

#include "base/mem.h"
#include "ssh/evp.h"

static const struct agreement_hybrid mlkem768_x25519 = {
    .kem = &kem_mlkem768,
    .classical = &agreement_x25519,
    .classical_size = 32,
    .digest = "SHA256",
};
static const struct agreement_hybrid mlkem768_p256 = {
    .kem = &kem_mlkem768,
    .classical = &agreement_ecdh,
    .classical_parameters = &agreement_p256,
    .classical_size = 65,
    .digest = "SHA256",
};
static const struct agreement_hybrid sntrup761_x25519 = {
    .kem = &kem_sntrup761,
    .classical = &agreement_x25519,
    .classical_size = 32,
    .digest = "SHA512",
};

#define HYBRID(name, hybrid, digest) \
	{ \
		name, &agreement_hybrid, &(hybrid), digest, KEX_STRING, KEX_TWO_MESSAGES, true \
	}
#define CURVE(name, kind, parameters, digest) \
	{ \
		name, &(kind), parameters, digest, KEX_STRING_AND_MPINT_SECRET, KEX_TWO_MESSAGES, \
		    false \
	}
#define MODP(name, group, digest) \
	{ \
		name, &agreement_dh, &(group), digest, KEX_MPINT, KEX_TWO_MESSAGES, false \
	}

static const struct kex_method table[] = {
    HYBRID("mlkem768x25519-sha256", mlkem768_x25519, "SHA256"),
    HYBRID("sntrup761x25519-sha512", sntrup761_x25519, "SHA512"),
    HYBRID("sntrup761x25519-sha512@openssh.com", sntrup761_x25519, "SHA512"),
    HYBRID("mlkem768nistp256-sha256", mlkem768_p256, "SHA256"),
    CURVE("curve25519-sha256", agreement_x25519, NULL, "SHA256"),
    CURVE("curve25519-sha256@libssh.org", agreement_x25519, NULL, "SHA256"),
    CURVE("ecdh-sha2-nistp256", agreement_ecdh, &agreement_p256, "SHA256"),
    CURVE("ecdh-sha2-nistp384", agreement_ecdh, &agreement_p384, "SHA384"),
    CURVE("ecdh-sha2-nistp521", agreement_ecdh, &agreement_p521, "SHA512"),
    {"diffie-hellman-group-exchange-sha256", &agreement_dh, NULL, "SHA256", KEX_MPINT,
	KEX_GROUP_EXCHANGE, false},
    MODP("diffie-hellman-group16-sha512", agreement_group16, "SHA512"),
    MODP("diffie-hellman-group18-sha512", agreement_group18, "SHA512"),
    MODP("diffie-hellman-group14-sha256", agreement_group14, "SHA256"),
};

const struct kex_method *kex_method_at(size_t index)
{
	return index < ARRAY_LEN(table) ? &table[index] : NULL;
}

bool kex_method_is_available(const struct kex_method *method)
{
	return evp_has_digest(method->digest) &&
	       (!method->kind->is_available || method->kind->is_available(method->parameters));
}

const struct kex_method *kex_method_find(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (span_is(name, table[i].name))
			return kex_method_is_available(&table[i]) ? &table[i] : NULL;
	return NULL;
}
