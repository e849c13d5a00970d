/*
 * Inside hostkey*.c.
 */
#ifndef ADIT_SSH_HOSTKEY_POLICY_H
#define ADIT_SSH_HOSTKEY_POLICY_H

#include "ssh/cert.h"
#include "ssh/hostkey.h"
#include "ssh/known_hosts.h"
#include "ssh/revoked.h"

struct hostkey_pin {
	char *fingerprint; /* owned; of a whole key its own */
	char *type;        /* owned; NULL: a fingerprint does not say */
};

struct hostkey_policy {
	const struct log_context *log;
	char *name;
	uint16_t port;
	char *address;
	enum hostkey_check check;
	struct hostkey_pin *pins;
	size_t pin_count;
	char **known_hosts_paths;
	size_t known_hosts_count;
	struct known_hosts *known; /* empty when there are pins */
	struct revoked *revoked;

	struct wr seen;    /* the plain blob of the last exchange */
	char *fingerprint; /* of it */
	struct wr
	    verified; /* as it was shown (plain or certificate) in the first exchange; empty before */
	bool
	    by_own_line; /* verified by a plain line of name and port, or one that was just written */
};

#endif
