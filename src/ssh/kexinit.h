/*
 * KEXINIT (RFC 4253 §7.1): what each side offers, and what follows from both offers together.
 */
#ifndef ADIT_SSH_KEXINIT_H
#define ADIT_SSH_KEXINIT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/wire.h"
#include "ssh/algorithms.h"
#include "ssh/cipher.h"
#include "ssh/kex_method.h"
#include "ssh/mac.h"

enum kexinit_list {
	KEXINIT_KEX,
	KEXINIT_HOST_KEY,
	KEXINIT_CIPHER_TO_SERVER,
	KEXINIT_CIPHER_TO_CLIENT,
	KEXINIT_MAC_TO_SERVER,
	KEXINIT_MAC_TO_CLIENT,
	KEXINIT_COMPRESSION_TO_SERVER,
	KEXINIT_COMPRESSION_TO_CLIENT,
	KEXINIT_LANGUAGES_TO_SERVER,
	KEXINIT_LANGUAGES_TO_CLIENT,
	KEXINIT_LISTS
};

/* A view into the payload. */
struct kexinit {
	struct span lists[KEXINIT_LISTS];
	bool first_kex_packet_follows;
};

/* Names in the list of key exchange methods that are no methods (RFC 8308 §2.1; strict key exchange). */
#define MARKER_EXT_INFO_CLIENT "ext-info-c"
#define MARKER_EXT_INFO_SERVER "ext-info-s"
#define MARKER_STRICT_CLIENT "kex-strict-c-v00@openssh.com"
#define MARKER_STRICT_SERVER "kex-strict-s-v00@openssh.com"

/* Appends the message with a fresh cookie: prefs without what is unknown or not available here, and markers (a comma-separated
 * list) behind the methods. */
void kexinit_write(struct wr *payload, const struct algorithm_prefs *prefs, const char *markers);
/* 0 or ERR_PEER. */
int kexinit_read(struct span payload, struct kexinit *ret_kexinit, struct err *e) MUST_CHECK;

enum kex_direction { KEX_TO_SERVER, KEX_TO_CLIENT };

struct kex_choice {
	const struct kex_method *method;
	struct span host_key;                 /* algorithm; a view into the client's message */
	const struct cipher_info *ciphers[2]; /* by enum kex_direction */
	const struct mac_info *macs[2];       /* NULL where the cipher has its own */
};

/* What both agree on. ERR_CONFIG when there is something on which they do not, since only a person can change that: whose names
 * peer_is has is told in the text. */
enum kexinit_peer { KEXINIT_PEER_IS_SERVER, KEXINIT_PEER_IS_CLIENT };
int kexinit_choose(const struct kexinit *client, const struct kexinit *server,
    enum kexinit_peer peer_is, struct kex_choice *ret_choice, struct err *e) MUST_CHECK;
/* Was a packet that the sender of a KEXINIT sent right behind it on the right assumption? (RFC 4253 §7) */
bool kexinit_guess_is_right(const struct kexinit *a, const struct kexinit *b);

#endif
