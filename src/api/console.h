/* The web console: files within the program, made of console/ by the build. */
#ifndef WAYBILL_CONSOLE_H
#define WAYBILL_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct console_asset {
    const char *name, *type, *etag; /* "app-0123456789abcdef.js"; the ETag in its quotes */
    const uint8_t *octets;          /* gzip */
    size_t n, size;                 /* of octets; of what comes out */
    bool fixed;                     /* another content has another name */
};

/* The page first. None: built without the console. */
extern const struct console_asset console_assets[];
extern const size_t console_assets_n;

#endif
