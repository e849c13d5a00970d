#include "ssh/kexinit.h"

#include <stdlib.h>

#include "base/random.h"
#include "base/str.h"
#include "ssh/messages.h"

#define COOKIE_SIZE 16

/* ---- writing ---- */

/* Appends the names of list (NULL: the default) that can be used here. They were checked when the configuration was read; what
 * slipped through must not be offered nevertheless. */
static void add_usable(struct strbuf *names, enum algorithm_kind kind, const char *list)
{
	struct span rest = span_of(list ? list : algorithms_default(kind));
	struct span one;

	while (name_list_next(&rest, &one)) {
		char *name = span_strdup(one);

		if (algorithms_check(kind, name, NULL) == 0)
			strbuf_addf(names, "%s%s", names->n ? "," : "", name);
		free(name);
	}
}

static void write_usable(
    struct wr *payload, enum algorithm_kind kind, const char *list, const char *markers)
{
	struct strbuf names = {0};

	add_usable(&names, kind, list);
	if (markers)
		strbuf_addf(&names, "%s%s", names.n ? "," : "", markers);
	wr_cstring(payload, strbuf_text(&names));
	strbuf_clear(&names);
}

void kexinit_write(struct wr *payload, const struct algorithm_prefs *prefs, const char *markers)
{
	uint8_t cookie[COOKIE_SIZE];

	random_key_bytes(cookie, sizeof(cookie));
	wr_u8(payload, SSH_MSG_KEXINIT);
	wr_bytes(payload, cookie, sizeof(cookie));
	write_usable(payload, ALGORITHM_KEX, prefs->kex, markers);
	write_usable(payload, ALGORITHM_HOST_KEY, prefs->host_key, NULL);
	write_usable(payload, ALGORITHM_CIPHER, prefs->ciphers, NULL); /* to the server */
	write_usable(payload, ALGORITHM_CIPHER, prefs->ciphers, NULL); /* to the client */
	write_usable(payload, ALGORITHM_MAC, prefs->macs, NULL);
	write_usable(payload, ALGORITHM_MAC, prefs->macs, NULL);
	wr_cstring(payload, "none"); /* compression */
	wr_cstring(payload, "none");
	wr_cstring(payload, ""); /* languages */
	wr_cstring(payload, "");
	wr_bool(payload, false); /* first_kex_packet_follows: we never guess */
	wr_u32(payload, 0);      /* reserved */
}

/* ---- reading ---- */

int kexinit_read(struct span payload, struct kexinit *ret_kexinit, struct err *e)
{
	struct kexinit k;
	struct rd r;

	rd_init(&r, payload);
	if (rd_u8(&r) != SSH_MSG_KEXINIT)
		rd_fail(&r);
	rd_bytes(&r, COOKIE_SIZE);
	for (size_t i = 0; i < KEXINIT_LISTS; i++)
		k.lists[i] = rd_string(&r);
	k.first_kex_packet_follows = rd_bool(&r);
	rd_u32(&r); /* reserved */
	if (rd_end(&r) < 0)
		return err_set(e, ERR_PEER, "a malformed KEXINIT");
	*ret_kexinit = k;
	return 0;
}

/* ---- both together ---- */

static const struct {
	const char *name;
	enum kexinit_list list;
} directions[] = {
    [KEX_TO_SERVER] = {" to the server", KEXINIT_CIPHER_TO_SERVER},
    [KEX_TO_CLIENT] = {" to the client", KEXINIT_CIPHER_TO_CLIENT},
};

/* A list may be long, and is for a person. */
#define SHOWN_MAX 300

static int nothing_in_common(
    const char *what, const char *direction, struct span theirs, struct err *e)
{
	struct strbuf shown = {0};

	strbuf_add_escaped(&shown, SPAN(theirs.p, theirs.n < SHOWN_MAX ? theirs.n : SHOWN_MAX));
	int rc = err_set(e, ERR_CONFIG, "no %s%s in common: the peer has \"%s\"%s", what, direction,
	    strbuf_text(&shown), theirs.n > SHOWN_MAX ? "..." : "");
	strbuf_clear(&shown);
	return rc;
}

struct offers {
	const struct kexinit *client, *server, *peer;
};

static int choose(const struct offers *o, enum kexinit_list list, const char *what,
    const char *direction, struct span *ret_name, struct err *e)
{
	if (algorithms_choose(o->client->lists[list], o->server->lists[list], ret_name))
		return 0;
	return nothing_in_common(what, direction, o->peer->lists[list], e);
}

/* A name that both have and that is no method, a marker, comes out where no method is in common: find() tells. */
static int choose_method(const struct offers *o, struct kex_choice *c, struct err *e)
{
	struct span name = SPAN("", 0);
	int rc = choose(o, KEXINIT_KEX, algorithms_kind_name(ALGORITHM_KEX), "", &name, e);

	if (rc < 0)
		return rc;
	c->method = kex_method_find(name);
	if (c->method)
		return 0;
	return nothing_in_common(
	    algorithms_kind_name(ALGORITHM_KEX), "", o->peer->lists[KEXINIT_KEX], e);
}

/* The cipher, the MAC where the cipher needs one, and that there is no compression. */
static int choose_direction(
    const struct offers *o, enum kex_direction d, struct kex_choice *c, struct err *e)
{
	enum kexinit_list cipher_list = directions[d].list;
	enum kexinit_list mac_list =
	    cipher_list + (KEXINIT_MAC_TO_SERVER - KEXINIT_CIPHER_TO_SERVER);
	enum kexinit_list compression_list =
	    cipher_list + (KEXINIT_COMPRESSION_TO_SERVER - KEXINIT_CIPHER_TO_SERVER);
	const char *direction = directions[d].name;
	struct span name;
	int rc =
	    choose(o, cipher_list, algorithms_kind_name(ALGORITHM_CIPHER), direction, &name, e);

	if (rc < 0)
		return rc;
	c->ciphers[d] = cipher_find(name);
	c->macs[d] = NULL;
	if (c->ciphers[d]->tag_size == 0) {
		rc = choose(o, mac_list, algorithms_kind_name(ALGORITHM_MAC), direction, &name, e);
		if (rc < 0)
			return rc;
		c->macs[d] = mac_find(name);
	}
	return choose(o, compression_list, "compression method", direction, &name, e);
}

int kexinit_choose(const struct kexinit *client, const struct kexinit *server,
    enum kexinit_peer peer_is, struct kex_choice *ret_choice, struct err *e)
{
	struct offers o = {client, server, peer_is == KEXINIT_PEER_IS_SERVER ? server : client};
	struct kex_choice c = {0};
	int rc = choose_method(&o, &c, e);

	if (rc == 0)
		rc = choose(&o, KEXINIT_HOST_KEY, algorithms_kind_name(ALGORITHM_HOST_KEY), "",
		    &c.host_key, e);
	if (rc == 0)
		rc = choose_direction(&o, KEX_TO_SERVER, &c, e);
	if (rc == 0)
		rc = choose_direction(&o, KEX_TO_CLIENT, &c, e);
	if (rc == 0)
		*ret_choice = c;
	return rc;
}

static struct span first_name(struct span list)
{
	struct span name = SPAN("", 0);

	name_list_next(&list, &name);
	return name;
}

bool kexinit_guess_is_right(const struct kexinit *a, const struct kexinit *b)
{
	return span_equal(first_name(a->lists[KEXINIT_KEX]), first_name(b->lists[KEXINIT_KEX])) &&
	       span_equal(
		   first_name(a->lists[KEXINIT_HOST_KEY]), first_name(b->lists[KEXINIT_HOST_KEY]));
}
