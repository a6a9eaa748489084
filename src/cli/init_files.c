/* Files and keys of `waybill init`. */
#include "cli/init.h"
#include "pki/pki.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DAYS = 1095, BITS = 3072 };

static const char *filled(struct cli *c, const char *text, const struct init_mark *marks)
{
    for (; marks->mark != NULL; marks++) {
        const char *at;

        while ((at = strstr(text, marks->mark)) != NULL)
            text = cli_printf(c, "%.*s%s%s", (int)(at - text), text, marks->value,
                              at + strlen(marks->mark));
    }
    return text;
}

static bool write_new(const char *path, const char *text, mode_t mode, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    bool ok = f != NULL && fputs(text, f) >= 0;

    if (f != NULL)
        ok = fclose(f) == 0 && ok;
    else if (fd >= 0)
        (void)close(fd);
    return ok || FAIL(err, FAIL_LOCAL, 0, "%s: %m%s", path,
                      errno == EEXIST ? "; it is left as it is" : "");
}

bool init_write(struct cli *c, const struct init_place *p, const char *file, const char *text,
                const struct init_mark *marks, mode_t mode, struct err *err)
{
    return write_new(cli_printf(c, "%s/%s", p->directory, file), filled(c, text, marks), mode,
                     err);
}

bool init_folder(const char *path, mode_t mode, struct err *err)
{
    return mkdir(path, mode) == 0 || errno == EEXIST ||
           FAIL(err, FAIL_LOCAL, 0, "%s: %m", path);
}

bool init_keys(struct cli *c, const struct init_place *p, struct err *err)
{
    char *cert = NULL, *key = NULL;
    bool ok = init_folder(cli_printf(c, "%s/keys", p->directory), 0700, err) &&
              pki_generate(p->name, BITS, DAYS, time(NULL),
                           PKI_SIGN | PKI_ENCRYPT | PKI_SERVER | PKI_CLIENT, &cert, &key, err);

    ok = ok && write_new(cli_printf(c, "%s/keys/our-key.key", p->directory), key, 0600, err) &&
         write_new(cli_printf(c, "%s/keys/our-key.pem", p->directory), cert, 0644, err);
    if (key != NULL)
        OPENSSL_cleanse(key, strlen(key));
    free(key);
    free(cert);
    return ok;
}
