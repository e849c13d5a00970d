/*
 * What publickey authentication has to offer, in order: the configured identities, each with its certificate first, and the
 * agent's keys; and with which signature algorithm (RFC 8332 §3.3).
 */
#ifndef ADIT_SSH_AUTH_KEYS_H
#define ADIT_SSH_AUTH_KEYS_H

#include <time.h>

#include "base/str.h"
#include "ssh/auth.h"

/* One offer. */
struct auth_key {
	char *label;            /* "/etc/adit/id_ed25519 (ED25519 SHA256:...)", escaped */
	struct span blob;       /* of the key or of the certificate: what the server is shown */
	const struct key *key;  /* signs; NULL: the agent does */
	struct span agent_blob; /* by this name the agent knows the key that signs */
	enum key_type type;
	enum { AUTH_KEY_PLAIN, AUTH_KEY_CERTIFICATE } kind;
	unsigned
	    guesses; /* how many signature algorithms were tried in vain, as the server did not say which it takes */
	bool spent; /* refused, or proven: not offered again */
};

struct auth_keys {
	struct auth_key *list;
	size_t count;
	struct strbuf left_out; /* "NAME: why; NAME: why" for the error that a person reads */
	struct wr *blobs;       /* those that the agent alone has */
	size_t blob_count;
};

struct auth_keys_options {
	const struct log_context *log;
	const struct auth_identity *identities; /* must outlive the list */
	size_t identity_count;
	const struct agent_identity *agent; /* borrowed */
	size_t agent_count;
	bool every_agent_key; /* offer those too that are not among the identities */
	size_t
	    agent_offers_max; /* ... as long as there are not more offers than that: servers count them */
	time_t now;
};

/* Fills keys, which is {0}. */
void auth_keys_make(struct auth_keys *keys, const struct auth_keys_options *options);
void auth_keys_clear(struct auth_keys *keys);
/* Says why something is not offered. */
void auth_keys_leave_out(struct auth_keys *keys, const char *name, const char *why);

enum auth_algorithm {
	AUTH_ALGORITHM_NONE,    /* the server takes none that we make */
	AUTH_ALGORITHM_CERTAIN, /* the server said so, or the type has no other */
	AUTH_ALGORITHM_GUESS    /* it did not say: ask before signing */
};
/* The plain signature algorithm for an offer ("rsa-sha2-512"); static. server_sig_algs may be NULL. */
enum auth_algorithm auth_key_algorithm(const struct auth_key *key, const char *server_sig_algs,
    unsigned quirks, const char **ret_algorithm);
/* A guess was refused: is there another? */
bool auth_key_guess_again(struct auth_key *key);

#endif
