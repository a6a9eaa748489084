/* Payload files that must not go while a backup is made. */
#include "store/store_int.h"

#include <stdlib.h>

struct held_file {
    struct held_file *next;
    char path[PAYLOAD_PATH];
};

struct file_hold {
    pthread_mutex_t lock;
    pthread_cond_t released;
    bool held;
    struct held_file *files; /* to be removed at the end */
};

struct file_hold *file_hold_new(void)
{
    struct file_hold *h = calloc(1, sizeof(*h));

    if (h == NULL)
        return NULL;
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->released, NULL);
    return h;
}

void file_hold_free(struct file_hold *h)
{
    if (h == NULL)
        return;
    pthread_cond_destroy(&h->released);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

bool files_hold(struct store *s)
{
    struct file_hold *h = s->hold;
    bool mine;

    pthread_mutex_lock(&h->lock);
    mine = !h->held;
    h->held = true;
    pthread_mutex_unlock(&h->lock);
    return mine;
}

void files_release(struct store *s)
{
    struct file_hold *h = s->hold;
    struct held_file *f;

    pthread_mutex_lock(&h->lock);
    while ((f = h->files) != NULL) {
        h->files = f->next;
        (void)store_fs->unlink(s->payload_fd, f->path);
        free(f);
    }
    h->held = false;
    pthread_cond_broadcast(&h->released);
    pthread_mutex_unlock(&h->lock);
}

void files_unlink(struct store *s, const char *path)
{
    struct file_hold *h = s->hold;
    struct held_file *f;

    if (store_failed(s))
        return;
    pthread_mutex_lock(&h->lock);
    if (!h->held) {
        pthread_mutex_unlock(&h->lock);
        (void)store_fs->unlink(s->payload_fd, path);
        return;
    }
    /* Without memory it stays until the next start, which sweeps it away. */
    f = malloc(sizeof(*f));
    if (f != NULL && text_copy(f->path, sizeof(f->path), path)) {
        f->next = h->files;
        h->files = f;
    } else {
        free(f);
    }
    pthread_mutex_unlock(&h->lock);
}

void files_keep(struct store *s, const char *path)
{
    struct file_hold *h = s->hold;
    struct held_file **at = &h->files, *f;

    pthread_mutex_lock(&h->lock);
    while ((f = *at) != NULL) {
        if (strcmp(f->path, path) != 0) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        free(f);
    }
    pthread_mutex_unlock(&h->lock);
}

void files_make_way(struct store *s, const char *path)
{
    struct file_hold *h = s->hold;

    pthread_mutex_lock(&h->lock);
    while (h->held)
        pthread_cond_wait(&h->released, &h->lock);
    (void)store_fs->unlink(s->payload_fd, path);
    pthread_mutex_unlock(&h->lock);
}
