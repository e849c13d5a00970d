/*
 * Bytes over the last minutes, of every tunnel and every host: what the page draws, from the first moment on. A sample every five
 * seconds, sixty of them, four bytes each.
 */
#ifndef ADIT_ADMIN_TRAFFIC_H
#define ADIT_ADMIN_TRAFFIC_H

#include "tunnel/manager.h"

enum { TRAFFIC_INTERVAL_S = 5, TRAFFIC_SAMPLES = 60 };

struct traffic;

struct traffic *traffic_new(struct loop *loop, const struct manager *m); /* keeps both */
void traffic_free(struct traffic *traffic);                              /* NULL is legal */

/* Gives {"interval_s", "tunnels": [{"name", "bytes_per_s": [the oldest first]}], "hosts": the same}. */
char *traffic_json(const struct traffic *traffic);

#endif
