/*
 * Is this the server's key? Pins, known_hosts, host certificates, revoked keys: one policy a connection, asked once an exchange.
 */
#ifndef ADIT_SSH_HOSTKEY_H
#define ADIT_SSH_HOSTKEY_H

#include "base/err.h"
#include "base/log.h"
#include "base/wire.h"

enum hostkey_check {
	HOSTKEY_STRICT,
	HOSTKEY_ACCEPT_NEW, /* an unknown host's key is written to the first known_hosts file */
	HOSTKEY_FETCH       /* accepts nothing, remembers what it saw: `adit host-key` */
};

struct hostkey_options {
	const struct log_context *log; /* keeps */
	/* What to look up: the address and its port, or host_key_alias and 22. This and all below are copied. */
	const char *name;
	uint16_t port;
	const char *address; /* for messages */
	const char *ask;     /* what `adit host-key` is to be asked for; NULL: address and port */
	enum hostkey_check check;
	const char *const
	    *pins; /* "SHA256:..." or "ssh-ed25519 AAAA..."; then known_hosts is not read */
	size_t pin_count;
	const char *const *known_hosts;
	size_t known_hosts_count;
	const char *const *revoked_keys; /* plain lists or KRLs; one that is missing refuses all */
	size_t revoked_keys_count;
};

struct hostkey_policy;

/* Reads the files (blocks): one is made for each connection, so that changes count. NULL and ERR_CONFIG: a pin that is none, a
 * known_hosts file that is there and cannot be read. */
struct hostkey_policy *hostkey_policy_new(const struct hostkey_options *options, struct err *e);
void hostkey_policy_free(struct hostkey_policy *policy); /* NULL is legal */

/* The host key algorithms to offer: list (comma-separated) reordered so that what is known of the host comes first,
 * certificates first of all where a CA line matches, and last of all where none does. Gives. For the default
 * list: one that a person wrote has that person's order. */
char *hostkey_policy_order(struct hostkey_policy *policy, const char *list);

/* Is it? 0; ERR_PEER when the blob is no key; or ERR_HOST_KEY and words that say which key was seen, where the known one stands
 * (file:line) and what to do. In later exchanges only the key that was verified first is accepted. algorithm says whether it is
 * a certificate. To be called when the server's signature has been verified: an unknown host's key may be written down here.
 *
 * Any matching line accepts. A key that differs from a known one of its type has changed; one of a type that is not known of a
 * host that is known by others is refused as well, with HOSTKEY_ACCEPT_NEW too, where ssh would take it: whoever is in between could
 * choose the type. So is a plain key of a host that has a CA. A certificate whose CA is not known counts as its plain key. As
 * ssh does, "name" is tried for a port other than 22 when nothing stands under "[name]:port"; it can only accept. */
int hostkey_policy_verify(struct hostkey_policy *policy, struct span key_blob,
    struct span algorithm, struct err *e) MUST_CHECK;
/* "SHA256:..." of the key seen last (of a certificate: of what it certifies), "" before one. */
const char *hostkey_policy_fingerprint(const struct hostkey_policy *policy);
/* The plain blob of that key; empty before one. Until the next exchange. */
struct span hostkey_policy_seen(const struct hostkey_policy *policy);

/* hostkeys-00@openssh.com (PROTOCOL §2.5): may this host's lines be changed, and which of the announced keys are new (then
 * they must prove themselves)? message is what follows want_reply. Returns the count of new ones in ret_new (views into
 * message, room for HOSTKEY_ANNOUNCED_MAX), 0 if there is nothing to prove (call hostkey_policy_update() then too: it removes what
 * vanished), negative if the message is malformed. That only the first announcement of a connection counts is the caller's to
 * see to. Blocks: reads the files again.
 *
 * Lines are changed when the key was verified by a plain line of the first known_hosts file, is among the announced ones, all of the
 * host's lines there are plain and have its name alone, and no other host has one of the keys. */
#define HOSTKEY_ANNOUNCED_MAX 32
int hostkey_policy_announced(
    struct hostkey_policy *policy, struct span message, struct span *ret_new) MUST_CHECK;
/* The proof has been checked for these keys: writes the file (adds new ones, removes vanished ones), as it is by now. Does
 * nothing where nothing may be changed; ERR_LOCAL, and nothing changed, when by now a key would have to be added that is not
 * among the proven ones, or when the file cannot be written. Blocks. */
int hostkey_policy_update(struct hostkey_policy *policy, struct span message,
    const struct span *proven, size_t proven_count, struct err *e) MUST_CHECK;

#endif
