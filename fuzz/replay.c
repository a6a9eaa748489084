/* Runs a fuzz target over files and folders of inputs, without a fuzzer: every input that was
 * ever of interest is tried again with every build. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned count;

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data;
    size_t n;

    if (f == NULL) {
        perror(path);
        return 1;
    }
    data = malloc(1 << 20);
    if (data == NULL) {
        fclose(f);
        return 1;
    }
    n = fread(data, 1, 1 << 20, f);
    fclose(f);
    /* A copy of just that size lets the sanitizer see a read beyond the end. */
    data = realloc(data, n > 0 ? n : 1);
    if (data == NULL)
        return 1;
    (void)LLVMFuzzerTestOneInput(data, n);
    free(data);
    count++;
    return 0;
}

static int run(const char *path)
{
    struct stat st;
    struct dirent *e;
    DIR *d;
    int failed = 0;

    if (stat(path, &st) != 0) {
        perror(path);
        return 1;
    }
    if (!S_ISDIR(st.st_mode))
        return run_file(path);
    d = opendir(path);
    if (d == NULL) {
        perror(path);
        return 1;
    }
    while ((e = readdir(d)) != NULL) {
        char name[4096];

        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
        failed |= run(name);
    }
    closedir(d);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;

    for (int k = 1; k < argc; k++)
        failed |= run(argv[k]);
    printf("%u inputs\n", count);
    return failed;
}
