/* The bundled ntddk.h, then what it lacks (dirql_ddk.h). */
#include_next <ntddk.h>
#include "dirql_ddk.h"
