/*
 * The PROXY protocol's header (HAProxy's proxy-protocol.txt, versions 1 and 2), which tells a target who the true client is.
 */
#ifndef ADIT_FORWARD_PROXY_HEADER_H
#define ADIT_FORWARD_PROXY_HEADER_H

#include "base/wire.h"
#include "config/config.h"
#include "net/addr.h"

/* Adds the header to w; nothing for CONFIG_SEND_PROXY_NONE. client is who connected, at is where to. Only TCP addresses can be
 * told: for others (a Unix client, one that the server did not name) the header says so: UNKNOWN, LOCAL. */
void proxy_header_write(
    struct wr *w, enum config_send_proxy version, const struct addr *client, const struct addr *at);

#endif
