/*
 * Running a command over a session channel (RFC 4254 §6.5, §6.10): stdout and stderr apart, exit status or signal, no terminal.
 */
#ifndef ADIT_SSH_EXEC_H
#define ADIT_SSH_EXEC_H

#include "ssh/session.h"

struct exec;

struct exec_result {
	bool exited;     /* exit-status came */
	uint32_t status; /* then */
	char signal[32]; /* exit-signal: "TERM" and the like, without "SIG"; else "" */
	bool core_dumped;
	char message[256]; /* exit-signal's error message, as it came */
};

struct exec_callbacks {
	/* Return how many bytes were taken; the rest with exec_consumed(). */
	size_t (*on_stdout)(void *arg, struct span data);
	size_t (*on_stderr)(void *arg, struct span data);
	/* stdin may be written again. */
	void (*on_writable)(void *arg);
	/* The last call. Without an error, result says how the command ended: by a status or a signal. e is set when the command
	 * was refused, or the connection was lost before all output had come: then result may say it all the same. */
	void (*on_exit)(void *arg, const struct exec_result *result, const struct err *e);
};

struct exec *session_exec(struct session *s, const char *command,
    const struct exec_callbacks *callbacks, void *arg, struct err *e);
void exec_write(struct exec *x, struct span data); /* to its stdin; ask exec_full() first */
bool exec_full(const struct exec *x);
void exec_eof(struct exec *x);
void exec_consumed(struct exec *x, size_t bytes);
void exec_free(struct exec *x); /* closes the channel; no callback. NULL is legal */

/* The waiting form: all output (at most max bytes each; more is ERR_LOCAL) and the result. 0 or a class. Turns the loop. */
int session_exec_wait(struct session *s, const char *command, size_t max, struct wr *ret_stdout,
    struct wr *ret_stderr, struct exec_result *ret_result, struct err *e) MUST_CHECK;

#endif
