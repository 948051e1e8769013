/* The bundled wdm.h, whose list functions step aside for those that look (dirql_lists.h), then what it lacks (dirql_ddk.h). */
#define RemoveEntryList BundledRemoveEntryList
#define RemoveHeadList BundledRemoveHeadList
#define RemoveTailList BundledRemoveTailList
#define InsertTailList BundledInsertTailList
#define InsertHeadList BundledInsertHeadList
#define AppendTailList BundledAppendTailList
#include_next <wdm.h>
#undef RemoveEntryList
#undef RemoveHeadList
#undef RemoveTailList
#undef InsertTailList
#undef InsertHeadList
#undef AppendTailList
#include "dirql_lists.h"
#include "dirql_ddk.h"
