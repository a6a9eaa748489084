/* File names and signatures that came before: as2.md 8.4, 11.1 #17 and #18. Kept where the store keeps
 * the keys of duplicates, and as long. */
#include "gateway/as2_int.h"

static bool is_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != 0)
            return false;
    return true;
}

static bool minds_names(const struct as2_in *in)
{
    return in->l->process->as2.file_names == FILE_NAMES_REJECT;
}

/* NULL: the part has no name of its own, or memory is out. 0x1f is in no safe name. */
static const char *name_key(struct as2_in *in, size_t part, const char **name)
{
    struct document_part p;

    document_part(&in->d, part, &p);
    *name = p.name;
    if (document_parts(&in->d) == 1 && as2_prop(&in->d, "as2.file_name")[0] == '\0')
        return NULL;
    return arena_printf(&in->arena, "as2-name\x1f%s\x1f%s\x1f%s", in->d.from, in->d.to, p.name);
}

/* NULL: it is not signed. */
static const char *signature_key(struct as2_in *in)
{
    char hex[2 * sizeof(in->found->signature_hash) + 1];

    if (in->found == NULL || !in->found->is_signed ||
        is_zero(in->found->signature_hash, sizeof(in->found->signature_hash)))
        return NULL;
    hex_text(in->found->signature_hash, sizeof(in->found->signature_hash), hex);
    return arena_printf(&in->arena, "as2-signature\x1f%s", hex);
}

bool as2_names_seen(struct as2_in *in, const char **name, struct err *err)
{
    size_t n = minds_names(in) ? document_parts(&in->d) : 0;
    int64_t other = 0;

    *name = NULL;
    for (size_t i = 0; i < n; i++) {
        const char *part, *key = name_key(in, i, &part);

        if (key == NULL)
            continue;
        if (!store_find_seen(in->g->store, key, net_wall_ms(), &other, err))
            return false;
        if (other != 0 && other != in->d.id) {
            *name = part;
            return true;
        }
    }
    return true;
}

bool as2_signature_seen(struct as2_in *in, int64_t *document_id, struct err *err)
{
    const char *key = signature_key(in);

    *document_id = 0;
    if (key != NULL && !store_find_seen(in->g->store, key, net_wall_ms(), document_id, err))
        return false;
    if (*document_id == in->d.id)
        *document_id = 0;
    return true;
}

void as2_seen_add(struct as2_in *in, struct store_batch *b, bool signature, int64_t now_ms)
{
    uint32_t days = in->l->process->as2.reject_duplicates.days;
    int64_t forget_ms =
        now_ms + (days > 0 ? (int64_t)days * 86400000
                           : (int64_t)in->g->rt->as2_server.duplicate_memory_ms);
    size_t n = minds_names(in) ? document_parts(&in->d) : 0;
    const char *key, *name;

    for (size_t i = 0; i < n; i++)
        if ((key = name_key(in, i, &name)) != NULL)
            store_add_seen(b, key, in->d.id, forget_ms);
    if (signature && (key = signature_key(in)) != NULL)
        store_add_seen(b, key, in->d.id, forget_ms);
}
