/*
 * Descriptors are for clients and their targets but for the last ones: while clients wait for a link, that link must be made, its
 * keys read and the control interface asked.
 */
#ifndef ADIT_NET_DESCRIPTORS_H
#define ADIT_NET_DESCRIPTORS_H

#include <stdbool.h>

/* Or a quarter of the limit, if that is less. */
#define DESCRIPTORS_RESERVED 32

/* Is fd one of the last? The kernel gives the lowest that is free. */
bool descriptors_is_reserved(int fd);
/* Would the next one be? */
bool descriptors_are_short(void);
/* What was answered last, to anybody: asks nothing. */
bool descriptors_were_short(void);
/* Once, by the program: as many as the system lets us have (RLIMIT_NOFILE's hard limit). */
void descriptors_raise_limit(void);

#endif
