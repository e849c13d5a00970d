/*
 * Where the control socket is: -s, $ADIT_SOCKET, the configuration's control_socket, $RUNTIME_DIRECTORY/control.sock,
 * $XDG_RUNTIME_DIR/adit/control.sock, /run/adit/control.sock.
 */
#ifndef ADIT_COMMAND_SOCKET_PATH_H
#define ADIT_COMMAND_SOCKET_PATH_H

#include "config/config.h"

/* For the daemon. Gives; NULL when the configuration wants none. */
char *socket_path_for_daemon(const char *option, const struct config *config);
/* For its clients: of the places by default the first where there is one. config_option is -c's. Gives; NULL and e: ERR_NETWORK when
 * the configuration says that there is none, ERR_CONFIG when it is there, or was named, and cannot be read that far: its errors
 * have been printed. */
char *socket_path_for_client(const char *option, const char *config_option, struct err *e);

#endif
