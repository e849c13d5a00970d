/*
 * The binary packet protocol (RFC 4253 §6), one object a direction: sealing encrypts from where the payload lies into space
 * reserved in an output buffer; opening decrypts into a scratch buffer that is shared by the process, so that a payload is
 * valid only until the next packet_open() of any connection.
 */
#ifndef ADIT_SSH_PACKET_H
#define ADIT_SSH_PACKET_H

#include <event2/buffer.h>

#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/wire.h"
#include "ssh/cipher.h"
#include "ssh/mac.h"

#define PACKET_LENGTH_MAX \
	((uint32_t)256 * 1024) /* of packet_length; more is refused before it is waited for */
/* A payload of so many bytes fits into a packet, whatever the cipher, the MAC and the padding. */
#define PACKET_PAYLOAD_MAX ((size_t)PACKET_LENGTH_MAX - 256)
/* Two packets with payloads of up to this many bytes fit into one chain of the output, whatever the cipher and the MAC: what
 * sends a lot does well to stay below. */
#define PACKET_PAYLOAD_GOOD ((size_t)32640)
#define PACKET_PIECES_MAX 32
/* How many packets in the clear a peer may send: enough for any greeting, so few that sequence numbers cannot wrap before there
 * are keys. */
#define PACKET_CLEAR_MAX 1024

struct packet_keys {
	const struct cipher_info *cipher;
	const struct mac_info *mac;        /* NULL with AEAD */
	const uint8_t *key, *iv, *mac_key; /* of the sizes that the infos say; borrowed */
};

/* ---- sending ---- */

struct packet_sealer;
struct packet_sealer *packet_sealer_new(void); /* in the clear, sequence number 0 */
void packet_sealer_free(struct packet_sealer *s);
/* After our NEWKEYS was sealed. The sequence number restarts at 0 under strict key exchange. */
enum packet_sequence { PACKET_SEQUENCE_GOES_ON, PACKET_SEQUENCE_RESTARTS };
void packet_sealer_set_keys(
    struct packet_sealer *s, const struct packet_keys *keys, enum packet_sequence sequence);
/* Appends one packet whose payload is the pieces together: at least one byte, at most PACKET_PAYLOAD_MAX, in at most
 * PACKET_PIECES_MAX pieces, none of which lies in out. Where out gets a new chain it is a whole BEV_CHAIN, so that
 * following packets find room. */
void packet_seal(
    struct packet_sealer *s, const struct iovec *pieces, size_t count, struct evbuffer *out);
/* For tests: how many bytes a packet with that payload takes on the wire. */
size_t packet_sealed_size(const struct packet_sealer *s, size_t payload);
uint32_t packet_sealer_sequence(const struct packet_sealer *s); /* of the next packet */

/* ---- receiving ---- */

struct packet_opener;
struct packet_opener *packet_opener_new(void);
void packet_opener_free(struct packet_opener *o);
void packet_opener_set_keys(
    struct packet_opener *o, const struct packet_keys *keys, enum packet_sequence sequence);
/* Takes the next packet off in. 1: *ret_payload is its payload (at least one byte); 0: more bytes are needed; ERR_PEER: length,
 * padding or MAC are wrong, and so will be whatever comes next. Nothing is given out before its integrity was checked. */
int packet_open(struct packet_opener *o, struct evbuffer *in, struct span *ret_payload,
    struct err *e) MUST_CHECK;
uint32_t packet_opener_sequence(const struct packet_opener *o); /* of the packet opened last */
/* For who would copy a large part of the payload that was opened last: it stays where it is until packet_release(). NULL when
 * it has to be copied: the packet is a very large one, or the part is of something else. Kept bytes hold up to 66 KB. */
struct packet_page *packet_keep(struct span part);
void packet_release(struct packet_page *page);

/* ---- either: since the keys were set ---- */
struct packet_count {
	uint64_t bytes;
	uint64_t packets;
};
struct packet_count packet_sealer_count(const struct packet_sealer *s);
struct packet_count packet_opener_count(const struct packet_opener *o);
/* The infos only; all NULL before there are keys. */
const struct packet_keys *packet_sealer_names(const struct packet_sealer *s);
const struct packet_keys *packet_opener_names(const struct packet_opener *o);

#endif
