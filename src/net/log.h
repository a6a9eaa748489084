/* One line per fact: `event key=value ...` for people or a JSON object for programs, to standard
 * error. Values from outside are escaped here; secrets are never handed in. Only net, gateway,
 * api and cli log. */
#ifndef WAYBILL_LOG_H
#define WAYBILL_LOG_H

#include <stdarg.h>
#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* level and format as in config_runtime.log; anything unknown means info, text. */
void log_setup(const char *level, const char *format);
void log_level_set(enum log_level level);
bool log_on(enum log_level level);

/* event: a word with dots: "oftp2.session.start". Then pairs (const char *key, const char
 * *value), ended by NULL; a NULL value leaves its key out. Use log_num for numbers. */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));

/* A number as text, in a ring of buffers of this thread: good until 16 more of them. */
const char *log_num(long long v);

#endif
