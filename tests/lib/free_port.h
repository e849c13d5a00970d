/*
 * Ports for tests that run beside each other.
 */
#ifndef ADIT_TESTS_LIB_FREE_PORT_H
#define ADIT_TESTS_LIB_FREE_PORT_H

#include <stdint.h>

/*
 * A TCP port of 127.0.0.1 that nobody listens on, below the range from which the kernel takes the ports of clients: it is
 * still free after it was closed for a while. Processes that run at the same time are given different ones, and one process
 * another at each call, until it has had them all (32). Ends the process when there is none.
 */
uint16_t free_port(void);

#endif
