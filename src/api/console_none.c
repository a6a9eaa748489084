/* Stands in for what console/build.mjs makes, where it was built without. */
#include "api/console.h"

const struct console_asset console_assets[1] = { { 0 } };
const size_t console_assets_n = 0;
