/* The bundled wdm.h, then what it lacks (dirql_ddk.h). */
#include_next <wdm.h>
#include "dirql_ddk.h"
