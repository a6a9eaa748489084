/* The configuration reference in Markdown. */
#include "config/schema_int.h"
#include "config/text_int.h"

char *config_reference(void)
{
    struct text t = { 0 };

    text_put(&t, "# Configuration\n");
    return text_done(&t);
}
