/*
 * Doubly linked lists: the inline functions of Windows 8 and later, which look at the links they are about to change and
 * fail fast (code 3, bugcheck 0x139) where a neighbour does not point back. Those bundled with zig change them unseen.
 * Included by this directory's wdm.h, which gives the bundled ones another name.
 */
#ifndef DIRQL_LISTS_H
#define DIRQL_LISTS_H

#ifndef FAST_FAIL_CORRUPT_LIST_ENTRY
#define FAST_FAIL_CORRUPT_LIST_ENTRY 3
#endif

#ifdef __cplusplus
extern "C" {
#endif

FORCEINLINE __attribute__((noreturn)) void RtlFailFast(ULONG Code)
{
    __asm__ volatile("int $0x29" ::"c"(Code));
    __builtin_unreachable();
}

/* `Left` and `Right` are neighbours, or the list is corrupt. */
FORCEINLINE void DirqlAdjacent(const LIST_ENTRY *Left, const LIST_ENTRY *Right)
{
    if (Left->Flink != Right || Right->Blink != Left) {
        RtlFailFast(FAST_FAIL_CORRUPT_LIST_ENTRY);
    }
}

FORCEINLINE void DirqlLink(PLIST_ENTRY Left, PLIST_ENTRY Right)
{
    Left->Flink = Right;
    Right->Blink = Left;
}

FORCEINLINE BOOLEAN RemoveEntryList(PLIST_ENTRY Entry)
{
    PLIST_ENTRY left = Entry->Blink, right = Entry->Flink;

    DirqlAdjacent(left, Entry);
    DirqlAdjacent(Entry, right);
    DirqlLink(left, right);
    return left == right; /* nothing but the head is left */
}

FORCEINLINE PLIST_ENTRY RemoveHeadList(PLIST_ENTRY ListHead)
{
    PLIST_ENTRY first = ListHead->Flink;

    RemoveEntryList(first);
    return first;
}

FORCEINLINE PLIST_ENTRY RemoveTailList(PLIST_ENTRY ListHead)
{
    PLIST_ENTRY last = ListHead->Blink;

    RemoveEntryList(last);
    return last;
}

FORCEINLINE void InsertTailList(PLIST_ENTRY ListHead, PLIST_ENTRY Entry)
{
    PLIST_ENTRY last = ListHead->Blink;

    DirqlAdjacent(last, ListHead);
    DirqlLink(last, Entry);
    DirqlLink(Entry, ListHead);
}

FORCEINLINE void InsertHeadList(PLIST_ENTRY ListHead, PLIST_ENTRY Entry)
{
    PLIST_ENTRY first = ListHead->Flink;

    DirqlAdjacent(ListHead, first);
    DirqlLink(Entry, first);
    DirqlLink(ListHead, Entry);
}

/* `ListToAppend` is the first of a ring of entries without a head. */
FORCEINLINE void AppendTailList(PLIST_ENTRY ListHead, PLIST_ENTRY ListToAppend)
{
    PLIST_ENTRY last = ListHead->Blink, end = ListToAppend->Blink;

    DirqlAdjacent(last, ListHead);
    DirqlAdjacent(end, ListToAppend);
    DirqlLink(last, ListToAppend);
    DirqlLink(end, ListHead);
}

#ifdef __cplusplus
}
#endif

#endif
