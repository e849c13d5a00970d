/*
 * The scripted SSH server as a program: a peer that costs little, for measuring how fast a thousand links come back when the
 * server's own logins are not what it takes. Lets in whoever signs; each channel sends back what it gets. Drops connections by
 * sshd's rule for MaxStartups START:RATE:FULL: none below START that have not logged in, RATE percent at START, all at FULL.
 *
 * usage: light_server PORT START RATE FULL
 *
 * Prints the fingerprint of its host key. Runs until its stdin ends; then prints how many came and how many it dropped.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"
#include "net/bev.h"
#include "net/listener.h"
#include "server.h"

enum { LOOK_MS = 200 };

struct guest {
	struct list node; /* in startups */
	struct server *server;
	bool is_in;
};

static struct loop *loop;
static unsigned start, rate, full; /* MaxStartups */
static struct list startups;       /* who has not logged in yet */
static unsigned startup_count, accepted, dropped;
static struct timer look;

static void end_startup(struct guest *guest)
{
	if (guest->is_in)
		return;
	guest->is_in = true;
	list_remove(&guest->node);
	startup_count--;
}

static enum server_verdict on_login(void *arg, struct server *s, const struct server_login *login)
{
	(void)s;
	if (!login->has_signature)
		return SERVER_PK_OK;
	if (!login->signature_is_good)
		return SERVER_REFUSE;
	end_startup(arg);
	return SERVER_ACCEPT;
}

/* Who leaves before the login makes room, if a little later. */
static void on_look(void *arg)
{
	(void)arg;
	LIST_FOREACH(node, &startups)
	{
		struct guest *guest = CONTAINER_OF(node, struct guest, node);

		if (server_saw_end(guest->server))
			end_startup(guest);
	}
	timer_start(&look, LOOK_MS);
}

/* PROTOCOL §1.8: the same string comes back. The scripted server offers PING and leaves it to its script. */
static bool on_message(void *arg, struct server *s, struct span payload)
{
	struct rd r;
	struct wr w = WR_INIT;

	(void)arg;
	rd_init(&r, payload);
	if (rd_u8(&r) != SSH_MSG_PING)
		return false;
	wr_u8(&w, SSH_MSG_PONG);
	wr_string(&w, rd_string(&r));
	server_send(s, wr_span(&w));
	wr_clear(&w);
	return true;
}

static bool is_dropped(void)
{
	if (startup_count < start)
		return false;
	if (startup_count >= full)
		return true;
	return random_below(100) < rate + (100 - rate) * (startup_count - start) / (full - start);
}

static void on_accept(void *arg, int fd, const struct addr *peer)
{
	(void)arg;
	(void)peer;
	accepted++;
	if (is_dropped()) {
		dropped++;
		close(fd);
		return;
	}

	struct guest *guest = NEW(struct guest);
	struct server_script script = {
	    .on_login = on_login, .on_message = on_message, .arg = guest};

	list_append(&startups, &guest->node);
	startup_count++;
	guest->server = server_new(loop, bev_socket_new(loop, fd), &script);
}

static void on_stdin_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	printf("%u %u\n", accepted, dropped);
	fflush(stdout);
	exit(0);
}

int main(int argc, char **argv)
{
	struct endpoint at = {.host = "127.0.0.1"};
	struct err e = ERR_INIT;

	if (argc != 5) {
		fprintf(stderr, "usage: light_server PORT START RATE FULL\n");
		return 64;
	}
	at.port = (uint16_t)atoi(argv[1]);
	start = (unsigned)atoi(argv[2]);
	rate = (unsigned)atoi(argv[3]);
	full = (unsigned)atoi(argv[4]);
	signal(SIGPIPE, SIG_IGN);
	loop = loop_new();
	list_init(&startups);
	timer_init(&look, loop, on_look, NULL);
	timer_start(&look, LOOK_MS);
	if (!listener_new(loop, &at, NULL, on_accept, NULL, &e)) {
		fprintf(stderr, "light_server: %s\n", e.text);
		return 1;
	}
	event_base_once(loop_base(loop), STDIN_FILENO, EV_READ, on_stdin_end, NULL, NULL);

	char *fingerprint = key_fingerprint(key_blob(server_host_key()));
	printf("%s\n", fingerprint);
	fflush(stdout);
	free(fingerprint);
	loop_run(loop);
	return 0;
}
