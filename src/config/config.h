/*
 * The configuration as data: an immutable snapshot of everything the files say, checked whole
 * (adit.conf(5)).
 *
 * One snapshot is shared by all who use it and counted: config_ref() and config_unref(). Nothing in
 * it changes after config_read() gave it. Every default is filled in already; what depends on the
 * machine (the home directory, the user) is expanded. Times are milliseconds, sizes bytes.
 */
#ifndef ADIT_CONFIG_CONFIG_H
#define ADIT_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/log.h"
#include "config/errors.h"

struct config_place {
	const char *file; /* owned by the snapshot */
	int line;
};

struct config_strings {
	char **v;
	size_t n;
	struct config_place place; /* of the list; no file: it was not read from one */
	int *lines;                /* of each, in that file; 0: it was not read from one */
};
/* Where the word with that index stands: in its own line, else that of the list. */
struct config_place config_strings_place(const struct config_strings *strings, size_t i);

/* Where a secret stands, never the secret: read when it is needed. */
enum config_secret_kind { CONFIG_SECRET_NONE, CONFIG_SECRET_FILE };
struct config_secret {
	enum config_secret_kind kind;
	char *path; /* "credential:NAME" is already $CREDENTIALS_DIRECTORY/NAME */
};

enum config_agent { CONFIG_AGENT_NONE, CONFIG_AGENT_ENVIRONMENT, CONFIG_AGENT_PATH };
enum config_host_key_check { CONFIG_CHECK_STRICT, CONFIG_CHECK_ACCEPT_NEW };

struct config_host {
	char *name;
	struct config_place place;

	char *address;
	uint16_t port;
	char *via; /* the host's name, or NULL */
	struct config_place via_place;
	char *bind_address;
	unsigned connections;
	uint64_t connect_timeout_ms;
	uint64_t keepalive_interval_ms; /* 0: never */
	unsigned keepalive_count;
	uint64_t reconnect_min_ms, reconnect_max_ms;

	char *user;
	struct config_strings identity;
	bool identity_is_default; /* nothing was configured: a file that does not exist is no error
				   */
	struct config_strings certificate; /* empty: IDENTITY-cert.pub where it exists */
	struct config_secret passphrase, password;
	enum config_agent agent;
	char *agent_path;
	bool forward_agent;

	struct config_strings known_hosts;
	struct config_strings
	    host_key; /* pins, as written: "SHA256:..." or "ssh-ed25519 AAAA..." */
	enum config_host_key_check host_key_check;
	char *host_key_alias; /* or NULL */
	struct config_strings revoked_keys;
	bool update_host_keys;

	/* Empty: the default order. */
	struct config_strings kex, ciphers, macs, host_key_algorithms;
	uint64_t rekey_bytes; /* or the cipher's own limit, where that is less */
	uint64_t rekey_interval_ms;
};

enum config_forward_kind {
	CONFIG_FORWARD_LOCAL,
	CONFIG_FORWARD_REMOTE,
	CONFIG_FORWARD_SOCKS,
	CONFIG_FORWARD_REMOTE_SOCKS
};
/* "local", "remote", "socks", "remote_socks": the key's name, the same word everywhere */
const char *config_forward_kind_name(enum config_forward_kind kind);

enum config_endpoint_kind { CONFIG_TCP, CONFIG_UNIX, CONFIG_SYSTEMD };

/* Where to listen, or where to go. */
struct config_endpoint {
	enum config_endpoint_kind kind;
	char *host;    /* TCP: name or address without brackets; "*" for all; what stood there. NULL
			  otherwise */
	uint16_t port; /* TCP; 0 for any (listeners only) */
	char *path;    /* UNIX: expanded; SYSTEMD: the FileDescriptorName */
	char *text;    /* as a person writes it, canonical: "127.0.0.1:5432", "[::1]:80",
			  "unix:/run/x", "systemd:NAME" */
};

enum config_send_proxy { CONFIG_SEND_PROXY_NONE, CONFIG_SEND_PROXY_V1, CONFIG_SEND_PROXY_V2 };

struct config_forward {
	struct config_place place; /* of the key that says where it listens */
	enum config_forward_kind kind;
	struct config_endpoint listen;
	struct config_endpoint to; /* .text is NULL for the SOCKS kinds */

	mode_t mode;
	char *owner, *group; /* or NULL */
	struct config_strings allow, allow_users, allow_groups, allow_to;
	enum config_send_proxy send_proxy;
	unsigned max_streams;
	uint64_t idle_timeout_ms; /* 0: never */
};

enum config_connect { CONFIG_CONNECT_ALWAYS, CONFIG_CONNECT_ON_DEMAND };
enum config_probe { CONFIG_PROBE_NONE, CONFIG_PROBE_TCP };

struct config_tunnel {
	char *name;
	struct config_place place;
	struct config_strings via; /* hosts by name, in order of preference; at least one */
	struct config_forward *forwards;
	size_t forward_count; /* at least one */

	bool enabled;
	enum config_connect connect;
	uint64_t link_idle_timeout_ms;
	uint64_t hold_timeout_ms;
	bool required;
	enum config_probe probe;
	uint64_t probe_interval_ms;
};

enum config_ready { CONFIG_READY_UP, CONFIG_READY_STARTED };

struct config {
	unsigned references;
	char *path;                  /* of the main file; NULL for `adit open` */
	struct config_strings files; /* all that were read, for `watch` */
	struct config_strings
	    includes; /* of `include`, expanded, as glob(3) has them: for `watch` */
	struct config_errors
	    warnings; /* doubtful, not wrong: for whoever reads the file to log or print */

	enum log_level log_level;
	char *control_socket; /* NULL: not configured (the default places); "": none */
	mode_t control_mode;
	enum config_ready ready;
	struct config_endpoint http_listen; /* .text NULL: none */
	bool watch;
	uint64_t drain_timeout_ms;

	struct config_host *hosts; /* in the order of the files */
	size_t host_count;
	struct config_tunnel *tunnels;
	size_t tunnel_count;
};

struct config *config_ref(struct config *config);
void config_unref(struct config *config); /* NULL is legal */

const struct config_host *config_find_host(const struct config *config, const char *name);

#endif
