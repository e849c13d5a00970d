/*
 * An SSH server for tests, in the same process as the client, over one end of a bev_pair_new(). It does the key exchange, lets
 * people in and carries channels as its script says, and can be told to break any rule: what it sends is sealed as it is, by the
 * test's own hand if need be. It checks what the client sends and records it.
 */
#ifndef ADIT_TESTS_LIB_SERVER_H
#define ADIT_TESTS_LIB_SERVER_H

#include <stdbool.h>

#include "base/loop.h"
#include "base/wire.h"
#include "net/bev.h"
#include "ssh/algorithms.h"
#include "ssh/hostkey.h"
#include "ssh/kex.h"
#include "ssh/key.h"
#include "ssh/messages.h"

struct server;

/* ---- logins ---- */

struct server_login {
	const char *user, *method; /* valid during the call */
	/* publickey */
	struct span algorithm, blob;
	bool has_signature, signature_is_good;
	bool is_hostbound, host_key_is_right;
	/* password, and the answers of keyboard-interactive */
	struct span password;
};

enum server_verdict {
	SERVER_ACCEPT,
	SERVER_REFUSE,
	SERVER_PARTIAL, /* FAILURE with partial success */
	SERVER_PK_OK,
	SERVER_PROMPT, /* an INFO_REQUEST with the script's prompts */
	SERVER_SILENT  /* the script answers by itself */
};

/* ---- the script ---- */

/* Zero means: an OpenSSH that is well and lets everybody in. */
struct server_script {
	const char *ident;            /* without CR LF; "": it says nothing at all */
	struct algorithm_prefs prefs; /* kept */
	enum kex_strictness strict;
	enum { SERVER_EXT_INFO, SERVER_NO_EXT_INFO } ext_info;
	const char *sig_algs; /* in it; NULL: all that we make */
	enum { SERVER_HOSTBOUND, SERVER_NOT_HOSTBOUND } hostbound;
	enum { SERVER_SIGNS_WELL, SERVER_SIGNS_BADLY } host_key;
	size_t fragment; /* bytes that are written a pass; 0: all */

	enum {
		SERVER_ACCEPTS_SERVICE,
		SERVER_HOLDS_SERVICE
	} service; /* then the test accepts it */
	/* Of USERAUTH_FAILURE; NULL: "publickey,password,keyboard-interactive". */
	const char *methods;
	/* Of an INFO_REQUEST, NULL at the end; one that begins with '+' is echoed. */
	const char *const *prompts;
	enum server_verdict (*on_login)(
	    void *arg, struct server *s, const struct server_login *login);

	uint32_t window, maximum_packet; /* that channels get; 0: 2 MiB, 32 KiB */
	/* Sees every message from 50 on before the server does. True: the script has dealt with it. */
	bool (*on_message)(void *arg, struct server *s, struct span payload);
	void *arg;
};

/* Takes bev. Says its identification at once. */
struct server *server_new(
    struct loop *loop, struct bufferevent *bev, const struct server_script *script);
void server_free(struct server *s); /* NULL is legal */

/* ---- what it does when told ---- */

void server_send(struct server *s,
    struct span payload); /* as a server should: waits for a key exchange to end */
void server_send_now(
    struct server *s, struct span payload); /* sealed with the keys of the moment, whatever runs */
void server_send_message(struct server *s, uint8_t type); /* of this one byte, now */
void server_send_damaged(
    struct server *s, struct span payload); /* one bit of the packet's last byte is wrong */
void server_send_raw(struct server *s, struct span bytes); /* not even a packet */
/* Answers the client's last message so. */
void server_send_unimplemented(struct server *s);
void server_rekey(struct server *s);
/* It goes on reading and recording, and does nothing any more. */
void server_fall_silent(struct server *s);
/* What it was sent stays where it is. */
void server_stop_reading(struct server *s);
/* As a process that is stopped, and goes on. */
void server_pause(struct server *s);
void server_go_on(struct server *s);
void server_sign_badly(struct server *s); /* from now on */
void server_set_methods(
    struct server *s, const char *methods); /* as the script's, from now on; kept */
void server_finish(struct server *s);       /* EOF */
void server_reset(struct server *s);

/* ---- what it saw ---- */

/* The types of the client's messages in order, as text: "5 50 90". Key exchange messages are in it too. */
const char *server_seen(const struct server *s);
void server_forget_seen(struct server *s);
unsigned server_exchanges(const struct server *s);       /* that were done */
const char *server_client_ident(const struct server *s); /* "" before it came */
uint32_t server_disconnect_code(
    const struct server *s);                 /* of the client's DISCONNECT; 0: none came */
bool server_saw_end(const struct server *s); /* EOF or an error */
/* What the client did wrong; "" if nothing. Tests look at it at the end. */
const char *server_complaint(const struct server *s);

/* ---- keys ---- */

/* The server's host key. Static. */
const struct key *server_host_key(void);
/* A policy that knows it and nothing else. The caller frees it. */
struct hostkey_policy *server_policy(void);
/* A private key made of a seed: the same one each time. The caller frees it. */
struct key *server_make_key(uint8_t seed);

#endif
