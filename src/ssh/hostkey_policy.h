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

/* The lines about the host, under one port. */
struct hostkey_lines {
	bool looked_up;
	struct known_hosts_match *v; /* owned */
	size_t n;
};

struct hostkey_policy {
	const struct log_context *log;
	char *name;
	uint16_t port;
	char *ask; /* NULL: address and port */
	char *address;
	enum hostkey_check check;
	struct hostkey_pin *pins;
	size_t pin_count;
	char **known_hosts_paths;
	size_t known_hosts_count;
	struct known_hosts *known;            /* empty when there are pins */
	struct hostkey_lines own, of_port_22; /* of known; by hostkey_policy_lines() */
	struct revoked *revoked;

	struct wr seen;    /* the plain blob of the last exchange */
	char *fingerprint; /* of it */
	struct wr
	    verified; /* as it was shown (plain or certificate) in the first exchange; empty before */
	bool
	    by_own_line; /* verified by a plain line of name and port, or one that was just written */
};

/* What known has for the name and that port (the policy's or 22), looked up the first time only: a line's name may be hashed, and
 * files are long. */
const struct hostkey_lines *hostkey_policy_lines(struct hostkey_policy *policy, uint16_t port);

#endif
