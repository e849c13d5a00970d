/*
 * MACs for the ciphers that have none of their own (RFC 4253 §6.4, RFC 6668; -etm: OpenSSH's PROTOCOL §1.5).
 */
#ifndef ADIT_SSH_MAC_H
#define ADIT_SSH_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/wire.h"

enum mac_order {
	MAC_AND_ENCRYPT,  /* of the plain text (RFC 4253) */
	MAC_OF_CIPHERTEXT /* -etm: of the wire's bytes, the length among them in the clear */
};

struct mac_info {
	const char *name;
	const char *digest; /* OpenSSL's name */
	enum mac_order order;
	size_t key_size;
	size_t size;
};

const struct mac_info *mac_find(struct span name); /* NULL: unknown, or OpenSSL does not have it */
const struct mac_info *mac_at(size_t index); /* NULL after the last; OpenSSL may not have it */

#define MAC_SIZE_MAX 64
struct mac;
struct mac *mac_new(const struct mac_info *info, const uint8_t *key); /* key_size bytes, borrowed */
void mac_free(struct mac *mac);                                       /* NULL is legal; wipes */
/* MAC(key, sequence || pieces): info->size bytes */
void mac_compute(struct mac *mac, uint32_t sequence, const struct iovec *pieces, size_t count,
    uint8_t out[MAC_SIZE_MAX]);

#endif
