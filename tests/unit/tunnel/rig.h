/*
 * What the tests of this layer share: places on loopback where scripted SSH servers answer, one of which can be reached through
 * another; configurations of them; clients; a clock that a test turns; and the log, which they read.
 */
#ifndef ADIT_TESTS_TUNNEL_RIG_H
#define ADIT_TESTS_TUNNEL_RIG_H

#include "base/loop.h"
#include "config/config.h"
#include "config/diff.h"
#include "net/listener.h"
#include "net/resolver.h"
#include "tests/lib/server.h"
#include "tunnel/gate.h"
#include "tunnel/link.h"
#include "tunnel/manager.h"

enum { PLACES = 3, PLACE_SERVERS_MAX = 64 };

enum place_manners {
	PLACE_SERVES,
	PLACE_HANGS_UP,    /* before it says who it is: what sshd does beyond its MaxStartups */
	PLACE_IS_MUTE,     /* accepts, and that is all; as a jump's target: no answer at all */
	PLACE_IS_FORBIDDEN /* as a jump's target: the jump host does not permit it */
};

struct place {
	uint16_t port;
	struct listener *listener; /* NULL: connections are refused */
	enum place_manners manners;
	struct server_script script;               /* of who connects next */
	struct server *servers[PLACE_SERVERS_MAX]; /* NULL where one was hung up on */
	size_t accepted;
	struct addr client;   /* of who connected last, by TCP */
	struct list channels; /* of jumps through it */
};

extern struct loop *rig_loop;
extern struct resolver *rig_resolver;
extern struct gate *rig_gate;
extern struct place rig_places[PLACES];

int rig_setup(void **state);
int rig_teardown(void **state);
struct link_env rig_link_env(void);

/* Passes of the loop until all that can happen without time has happened. */
void rig_settle(void);
/* Lets time go by, a little at a time, and settles after each step. */
void rig_advance(uint64_t ms);

void place_open(struct place *place); /* at its port, always the same */
void place_close(struct place *place);
/* Every connection ends as when the process was killed. */
void place_kill(struct place *place);
void place_fall_silent(struct place *place); /* those that are connected now */
size_t place_live_count(const struct place *place);
struct server *place_last(const struct place *place);

/* "${A}", "${B}", "${C}" are the ports of the places, "${P}", "${Q}", "${R}" free ones (rig_ports), "${DIR}" a folder of the
 * test. Hosts get what they need to log in. Checked whole: a mistake fails the test. */
struct config *rig_config(const char *text);
const char *rig_folder(void);
void rig_hosts(const char *text); /* of the resolver's hosts file */

extern uint16_t rig_ports[3];

/* A manager, made by the first rig_apply() and freed by the teardown at the latest. */
extern struct manager *rig_manager;
extern bool rig_is_shut_down;
/* From the present configuration to this one, by the plan of the two; settles. */
void rig_apply(const char *text);
struct tunnel *rig_tunnel(const char *name);
const struct host *rig_host(const char *name);
void assert_tunnel(const char *name, enum tunnel_state state);
/* Of its first forward. */
struct forward_status rig_forward(const char *tunnel);

struct listener *rig_occupy(uint16_t port); /* somebody else listens there; to be freed */
int rig_client(uint16_t port);              /* connected; not blocking */
void rig_client_send(int fd, const char *text);
/* What has arrived, "" for nothing yet, "EOF" or "reset". Static. */
const char *rig_client_got(int fd);
void assert_echo(int fd, const char *text);

/* How many lines of the log have all of it? */
size_t rig_log_count(const char *part);
bool rig_log_has(const char *part);
const char *rig_log(void);

#endif
