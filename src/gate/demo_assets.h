#ifndef SKEIN_GATE_DEMO_ASSETS_H
#define SKEIN_GATE_DEMO_ASSETS_H

/* demo_assets - the page that the server shows at "/", as built from demo/.
 *
 * Defined by the generated file of cmake/embed.cmake (library sk_demo). It is
 * empty (n is 0) in a server that was configured with SKEIN_DEMO=OFF. Constant,
 * any thread.
 */
#include "net/asset.h"

extern const struct asset_table demo_assets;

#endif
