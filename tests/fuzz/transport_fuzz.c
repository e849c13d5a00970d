/*
 * The transport and a server in the clear: the input is what the server sends after its identification. It has no host key, so
 * whatever it says, the client must not think the exchange done, nor hand anything up; it ends once, and holds little meanwhile.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "net/bev.h"
#include "ssh/transport.h"

enum { OUTPUT_MAX = 256 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
	if (!held)
		abort();
}

static void on_ready(void *arg)
{
	(void)arg;
	abort();
}

static int on_message(void *arg, struct span payload, struct err *e)
{
	(void)arg;
	(void)payload;
	(void)e;
	abort();
}

static void on_can_send(void *arg)
{
	(void)arg;
	abort();
}

static void on_closed(void *arg, const struct err *e)
{
	unsigned *closed = arg;

	must(err_is_set(e) && e->text[0] != '\0');
	++*closed;
}

static void no_log(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

/* One that no key fits. */
static struct hostkey_policy *policy(void)
{
	const char *pins[] = {"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
	struct hostkey_options options = {.name = "server.test",
	    .port = 22,
	    .address = "server.test",
	    .pins = pins,
	    .pin_count = 1};
	struct err e = ERR_INIT;
	struct hostkey_policy *p = hostkey_policy_new(&options, &e);

	must(p != NULL);
	return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct transport_callbacks callbacks = {
	    on_ready, on_message, on_can_send, on_closed};
	unsigned closed = 0;
	struct bufferevent *pair[2];

	log_set_sink(no_log, NULL);
	clock_fake_start(1000000, 1700000000);
	random_seed_for_tests(1);
	struct loop *loop = loop_new();
	struct transport_options options = {.hostkey = policy(),
	    .prefs = {.kex = "curve25519-sha256,diffie-hellman-group14-sha256"}};
	bev_pair_new(loop, pair);
	struct transport *t = transport_new(loop, pair[0], &options, &callbacks, &closed);
	evbuffer_add_printf(bufferevent_get_output(pair[1]), "SSH-2.0-OpenSSH_9.9\r\n");
	bufferevent_write(pair[1], data, size);
	bev_finish(pair[1]);
	for (int i = 0; i < 10000 && closed == 0; i++) {
		loop_pass(loop, LOOP_NO_WAIT);
		must(evbuffer_get_length(bufferevent_get_input(pair[1])) <= OUTPUT_MAX);
		evbuffer_drain(bufferevent_get_input(pair[1]), OUTPUT_MAX);
	}
	must(closed == 1); /* at the latest by the end of the input */
	transport_free(t);
	hostkey_policy_free(options.hostkey);
	bev_free(pair[1]);
	loop_pass(loop, LOOP_NO_WAIT);
	loop_free(loop);
	random_seed_for_tests(0);
	clock_fake_stop();
	return 0;
}
