/*
 * The arguments of `ssh -N` as a snapshot: `adit open`.
 */
#ifndef ADIT_CONFIG_SSH_COMMAND_H
#define ADIT_CONFIG_SSH_COMMAND_H

#include "config/check.h"
#include "config/config.h"

/*
 * arguments[0..count) without the program's name: options before and after "[user@]host". Gives a snapshot with the jumps of -J and
 * the destination as hosts and, where there are forwards, one tunnel named as the destination; NULL and at least one error more
 * when something is wrong, StrictHostKeyChecking=no among that. notes gets each option that cannot be carried over,
 * with the reason where there is more to say.
 * As with ssh(1), options are about the destination and not about the jumps; of two values of one option the first counts.
 * algorithms may be NULL; else those that it does not know become notes. No file is read.
 */
struct config *config_from_ssh_arguments(int count, char *const *arguments,
    const struct config_algorithms *algorithms, struct config_errors *errors,
    struct config_errors *notes);

/* How many of these words are autossh's "-M PORT" or "-MPORT", which ssh(1) does not have; 0: none. A command line of autossh's is
 * one of ssh's otherwise, and no host is called as a number. */
int ssh_monitor_words(int count, char *const *words);
#define SSH_MONITOR_NOTE "-M: autossh's port; adit probes the server by itself"

/* Whether what follows this option letter of ssh(1) is its value. */
bool ssh_letter_takes_value(char letter);
/* Why one that is nothing here cannot be carried over; NULL of others. */
const char *ssh_letter_loss(char letter);

#endif
