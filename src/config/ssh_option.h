/*
 * The keywords of ssh_config(5), as `ssh -o` and the output of `ssh -G` have them, turned into keys of ours. For ssh_command.c and
 * ssh_config.c alone.
 */
#ifndef ADIT_CONFIG_SSH_OPTION_H
#define ADIT_CONFIG_SSH_OPTION_H

#include "config/check.h"
#include "config/config.h"
#include "config/ssh_spec.h"

#define SSH_OPTIONS_MAX 128

/* One destination and its forwards, as they come together. Begins with ssh_import_init(). */
struct ssh_import {
	struct config_host host;
	struct config_tunnel tunnel; /* without a name and via */
	char *proxy_jump;            /* NULL: none */
	char *alias;                 /* the name that was asked for; NULL until it is known */
	/* Notes and errors name it. ssh goes through it with -W, which opens none of its own forwards. */
	bool is_jump;
	enum log_level log_level;

	/* What depends on options that may come later waits for ssh_import_finish(): values with tokens, and forwards. */
	struct ssh_import_value {
		size_t option; /* its place in the table */
		char *text;
	} * waiting;
	size_t waiting_count;
	struct ssh_import_forward {
		enum ssh_forward_option option;
		char *spec; /* NULL: dropped again */
	} * forwards;
	size_t forward_count;
	enum ssh_bind bind;
	enum { SSH_ANY_FAMILY, SSH_INET, SSH_INET6 } family; /* of what listens on this machine */
	mode_t bind_mode;                                    /* of our Unix sockets */
	/* What was said to us, where an unknown keyword is a slip of the user's; or what an ssh that took it has printed. */
	enum { SSH_SAID, SSH_PRINTED } source;
	char *may_be_unknown; /* of IgnoreUnknown: patterns of keywords; NULL: none */
	bool clear_forwards;
	bool exit_on_failure; /* of a forward: where two listen on one place, none is left out */
	bool no_identity;     /* "none" was among the files */
	bool identities_only;
	char *
	    remote_open; /* of PermitRemoteOpen: where clients of a remote SOCKS proxy may go; NULL: anywhere */
	struct config_strings user_known_hosts, system_known_hosts;

	bool seen[SSH_OPTIONS_MAX]; /* the first value of a keyword counts */

	char *dir;                                  /* for relative paths: where we are */
	const struct config_algorithms *algorithms; /* may be NULL: all are carried over */
	struct config_errors *errors;               /* what is wrong */
	struct config_errors *notes;                /* what cannot be carried over, and why */
};

void ssh_import_init(struct ssh_import *import, const struct config_algorithms *algorithms,
    struct config_errors *errors, struct config_errors *notes);
void ssh_import_clear(struct ssh_import *import);

/* One keyword in whatever case, and its value. */
void ssh_import_option(struct ssh_import *import, const char *keyword, const char *value);
/* "Keyword=value" or "Keyword value" */
void ssh_import_line(struct ssh_import *import, const char *line);
/* After the last option: those that may have tokens. */
void ssh_import_read_waiting(struct ssh_import *import);
/* Whether there was one; a keyword of the table. */
bool ssh_option_seen(const struct ssh_import *import, const char *keyword);
/* What cannot be carried over, with the reason or NULL; and what is wrong; of a jump host with its alias in front. */
void ssh_option_note(
    struct ssh_import *import, const char *keyword, const char *value, const char *why);
void ssh_option_fail(
    struct ssh_import *import, const char *keyword, const char *value, const char *why);

/* In ssh_path.c: the tokens ("%h") of ssh_config(5) expanded. Gives, or NULL: there is one that cannot be known here. */
char *ssh_option_tokens(const struct ssh_import *import, const char *text);
/* Paths with "~/", "${VAR}" and tokens expanded; keyword is for the message. Gives it, or NULL and a note or an error. */
char *ssh_option_path(struct ssh_import *import, const char *keyword, const char *value);
/* Adds one, "none" aside. */
void ssh_option_add_path(struct ssh_import *import, const char *keyword,
    struct config_strings *paths, const char *value);
/* Adds several, between white space; those that ssh prints are noted where a space may be in them. */
void ssh_option_add_paths(struct ssh_import *import, const char *keyword,
    struct config_strings *paths, const char *value);

/* In ssh_algorithms.c: a list of names, or "+", "-" or "^" and what changes in our own list. names stays empty where that is as it
 * was. key is that of ours. */
void ssh_option_algorithms(struct ssh_import *import, const char *keyword, const char *key,
    struct config_strings *names, const char *value);

/* In ssh_forward.c: one more; and after the last option, what they mean. */
void ssh_import_forward(
    struct ssh_import *import, enum ssh_forward_option option, const char *spec);
void ssh_import_finish_forwards(struct ssh_import *import);
/* After the last option. */
void ssh_import_finish(struct ssh_import *import);

/*
 * Puts a host into the snapshot, under a name made from wanted that is valid and not taken yet, with via as its jump (or NULL). Takes
 * what import->host holds. Returns the name, which belongs to the snapshot. A host without a user, where who runs adit has no
 * name either, is one more of import->errors.
 */
const char *ssh_import_add_host(
    struct config *config, struct ssh_import *import, const char *wanted, const char *via);
/* The tunnel with all forwards, if there are any, through that host; takes them. */
void ssh_import_add_tunnel(struct config *config, struct ssh_import *import, const char *host);

#endif
