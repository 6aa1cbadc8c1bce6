/* The variant of weir/order.h that ThreadSanitizer builds use, forced. */
#define WEIR_ORDER_BUILTIN 1
#include "weir/order.h"

#include "order_twin.h"

const struct order_twin order_builtin = ORDER_TWIN("built-in");
