/* Prints the configuration reference: docs/configuration.md is its output. */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    char *text = config_reference();
    bool ok = text != NULL && fputs(text, stdout) != EOF && fflush(stdout) == 0;

    free(text);
    return ok ? 0 : 1;
}
