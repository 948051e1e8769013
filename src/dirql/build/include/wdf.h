/*
 * dirql's WDF header: KMDF 1.9 to 1.33 on x64, enough for a PCI driver and its children.
 *
 * -DKMDF_VERSION_MINOR=n chooses the version (33 if not given); what is newer than that version is not declared.
 * 34 and 35 declare what 33 does: for a driver that would use more, and asks for less.
 * -DKMDF_MINIMUM_VERSION_REQUIRED=n (with 25 and later) lets the driver load on an older framework.
 *
 * wdf_callbacks.h and wdf_functions.h are written by `dirql build` from prototypes.txt and facts/wdf_functions.csv.
 *
 * Limits: no USB, WMI, UMDF or class extension parts.
 */
#ifndef DIRQL_WDF_H
#define DIRQL_WDF_H

#ifndef KMDF_VERSION_MAJOR
#define KMDF_VERSION_MAJOR 1
#endif
#ifndef KMDF_VERSION_MINOR
#define KMDF_VERSION_MINOR 33
#endif

#if KMDF_VERSION_MAJOR != 1
#error "KMDF_VERSION_MAJOR must be 1"
#endif
#if KMDF_VERSION_MINOR < 9 || KMDF_VERSION_MINOR > 35
#error "KMDF_VERSION_MINOR must be 9 to 35; leave it out for 33"
#endif

#include <wdm.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "wdf_types.h"
#include "wdf_callbacks.h"
#include "wdf_structs.h"
#include "wdf_functions.h"
#include "wdf_init.h"

#ifdef __cplusplus
}
#endif

#endif
