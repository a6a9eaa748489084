/* Stages one behind another with a fixed buffer between neighbours. A pipe is a stage itself.
 * It has succeeded only when every stage said FLOW_END and no input is left over. */
#ifndef WAYBILL_BASE_PIPE_H
#define WAYBILL_BASE_PIPE_H

#include "base/stage.h"

enum {
    PIPE_STAGES = 12,        /* most stages in one pipe */
    PIPE_BUFFER = 64 * 1024, /* octets between neighbours by default */
};

/* stages: taken in every case, freed with the pipe. n from 1 to PIPE_STAGES. buffer: octets
 * between neighbours, 0 for PIPE_BUFFER. NULL when memory is out (the stages are freed). */
struct stage *pipe_new(struct stage *const *stages, size_t n, size_t buffer);

#endif
