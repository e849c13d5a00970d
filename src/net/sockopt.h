/*
 * What every socket of ours has set.
 */
#ifndef ADIT_NET_SOCKOPT_H
#define ADIT_NET_SOCKOPT_H

/* A stream socket that does not block and is not inherited; TCP_NODELAY when the family is TCP's. -1 and errno. */
int sockopt_stream_socket(int family);
/* TCP_NODELAY, so that a query does not wait for an acknowledgement (design.md, "Flow control"). Fails on no socket. What a
 * listening one accepts has it, too. */
void sockopt_set_nodelay(int fd);
/* For a descriptor from somebody else: non-blocking and close-on-exec. -1 and errno. */
int sockopt_make_ours(int fd);

#endif
