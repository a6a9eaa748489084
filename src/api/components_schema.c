/* The settings there are, for forms. */
#include "api/api_int.h"

#include <stdlib.h>

void api_components_schema(struct api_call *c)
{
    char *text = config_components_schema();
    json_t *v = text == NULL ? NULL : json_loads(text, 0, NULL);

    free(text);
    api_json(c, 200, (struct json_out) { v, v == NULL });
}
