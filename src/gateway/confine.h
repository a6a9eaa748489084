/* What the gateway gives up for good when it starts, and with it every program that a step runs: rights
 * gained by exec (PR_SET_NO_NEW_PRIVS), capabilities, and the system calls that neither needs.
 * docs/security.md says what it is for; tests/integration/test_sandbox.py tries to break out of it. */
#ifndef WAYBILL_GATEWAY_CONFINE_H
#define WAYBILL_GATEWAY_CONFINE_H

#include "base/err.h"

struct confined {
    int calls;        /* system calls that answer EPERM from now on */
    int capabilities; /* given up that the process had, or that an exec could have given it */
};

/* For this process, all of its threads and all it starts. Does what it can: on failure *err says what
 * the system refused first, and *done what is on all the same. Before any thread is made: capabilities
 * are given up by the calling one. */
bool confine_process(struct confined *done, struct err *err);

#endif
