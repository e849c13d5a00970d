/*
 * What every socket of ours has set.
 */
#ifndef ADIT_NET_SOCKOPT_H
#define ADIT_NET_SOCKOPT_H

/* A stream socket that does not block and is not inherited; TCP_NODELAY when the family is TCP's. -1 and errno. */
int sockopt_stream_socket(int family);
/* TCP_NODELAY, so that a query does not wait for an acknowledgement. Fails on no socket. What a
 * listening one accepts has it, too. */
void sockopt_set_nodelay(int fd);
/* For a TCP connection that does not leave this machine, before it is made or listened for: not with a congestion control that
 * paces (BBR, where that is the system's), which only keeps back what the other end could have at once. Fails on no socket. */
void sockopt_do_not_pace(int fd);
/* For a descriptor from somebody else: non-blocking and close-on-exec. -1 and errno. */
int sockopt_make_ours(int fd);

#endif
