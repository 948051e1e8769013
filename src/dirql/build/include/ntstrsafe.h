/*
 * Bounded strings for drivers: those of the RtlString family that print and copy, as inline functions over the kernel's own.
 * Every result ends with a zero; one that did not fit is cut and STATUS_BUFFER_OVERFLOW.
 *
 * Limits: no Ex forms, no Gets; of the UNICODE_STRING family only RtlUnicodeStringPrintf, RtlUnicodeStringCopyString.
 */
#ifndef DIRQL_NTSTRSAFE_H
#define DIRQL_NTSTRSAFE_H

#include <stdarg.h>

#define NTSTRSAFE_MAX_CCH 2147483647
#define NTSTRSAFE_UNICODE_STRING_MAX_CCH 32767

NTSYSAPI int __cdecl _vsnprintf(char *Target, size_t Count, const char *Format, va_list Arguments);
NTSYSAPI int __cdecl _vsnwprintf(wchar_t *Target, size_t Count, const wchar_t *Format, va_list Arguments);

#define DIRQL_STRSAFE static __inline __attribute__((unused))

/* One set of functions for each kind of character: counts are characters (Cch) or bytes (Cb). */
#define DIRQL_STRINGS(Letter, Character, Print)                                                                          \
    DIRQL_STRSAFE NTSTATUS RtlStringCchLength##Letter(const Character *String, size_t Most, size_t *Length)              \
    {                                                                                                                    \
        size_t at = 0;                                                                                                   \
        while (at < Most && String[at] != 0) {                                                                           \
            at++;                                                                                                        \
        }                                                                                                                \
        if (Length != NULL) {                                                                                            \
            *Length = at < Most ? at : 0;                                                                                \
        }                                                                                                                \
        return at < Most && Most <= NTSTRSAFE_MAX_CCH ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;                       \
    }                                                                                                                    \
    DIRQL_STRSAFE NTSTATUS RtlStringCchCopyN##Letter(Character *Target, size_t Room, const Character *Source, size_t Most) \
    {                                                                                                                    \
        size_t at = 0;                                                                                                   \
        if (Room == 0 || Room > NTSTRSAFE_MAX_CCH) {                                                                     \
            return STATUS_INVALID_PARAMETER;                                                                             \
        }                                                                                                                \
        while (at < Room - 1 && at < Most && Source[at] != 0) {                                                          \
            Target[at] = Source[at];                                                                                     \
            at++;                                                                                                        \
        }                                                                                                                \
        Target[at] = 0;                                                                                                  \
        return at == Most || Source[at] == 0 ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;                                  \
    }                                                                                                                    \
    DIRQL_STRSAFE NTSTATUS RtlStringCchCopy##Letter(Character *Target, size_t Room, const Character *Source)             \
    {                                                                                                                    \
        return RtlStringCchCopyN##Letter(Target, Room, Source, NTSTRSAFE_MAX_CCH);                                       \
    }                                                                                                                    \
    DIRQL_STRSAFE NTSTATUS RtlStringCchCat##Letter(Character *Target, size_t Room, const Character *Source)              \
    {                                                                                                                    \
        size_t at;                                                                                                       \
        NTSTATUS status = RtlStringCchLength##Letter(Target, Room, &at);                                                 \
        return NT_SUCCESS(status) ? RtlStringCchCopy##Letter(Target + at, Room - at, Source) : status;                   \
    }                                                                                                                    \
    DIRQL_STRSAFE NTSTATUS RtlStringCchVPrintf##Letter(Character *Target, size_t Room, const Character *Format, va_list Arguments) \
    {                                                                                                                    \
        int length;                                                                                                      \
        if (Room == 0 || Room > NTSTRSAFE_MAX_CCH) {                                                                     \
            return STATUS_INVALID_PARAMETER;                                                                             \
        }                                                                                                                \
        length = Print(Target, Room - 1, Format, Arguments);                                                             \
        if (length < 0 || (size_t)length >= Room) {                                                                      \
            Target[Room - 1] = 0;                                                                                        \
            return STATUS_BUFFER_OVERFLOW;                                                                               \
        }                                                                                                                \
        Target[length] = 0;                                                                                              \
        return STATUS_SUCCESS;                                                                                           \
    }                                                                                                                    \
    DIRQL_STRSAFE NTSTATUS RtlStringCchPrintf##Letter(Character *Target, size_t Room, const Character *Format, ...)      \
    {                                                                                                                    \
        va_list arguments;                                                                                               \
        NTSTATUS status;                                                                                                 \
        va_start(arguments, Format);                                                                                     \
        status = RtlStringCchVPrintf##Letter(Target, Room, Format, arguments);                                           \
        va_end(arguments);                                                                                               \
        return status;                                                                                                   \
    }                                                                                                                    \
    DIRQL_STRSAFE NTSTATUS RtlStringCbPrintf##Letter(Character *Target, size_t Room, const Character *Format, ...)       \
    {                                                                                                                    \
        va_list arguments;                                                                                               \
        NTSTATUS status;                                                                                                 \
        va_start(arguments, Format);                                                                                     \
        status = RtlStringCchVPrintf##Letter(Target, Room / sizeof(Character), Format, arguments);                       \
        va_end(arguments);                                                                                               \
        return status;                                                                                                   \
    }

DIRQL_STRINGS(A, char, _vsnprintf)
DIRQL_STRINGS(W, wchar_t, _vsnwprintf)

#define RtlStringCbLengthA RtlStringCchLengthA
#define RtlStringCbCopyA RtlStringCchCopyA
#define RtlStringCbCopyNA RtlStringCchCopyNA
#define RtlStringCbCatA RtlStringCchCatA
#define RtlStringCbVPrintfA RtlStringCchVPrintfA
#define RtlStringCbCopyW(Target, Room, Source) RtlStringCchCopyW(Target, (Room) / sizeof(wchar_t), Source)
#define RtlStringCbCopyNW(Target, Room, Source, Most) \
    RtlStringCchCopyNW(Target, (Room) / sizeof(wchar_t), Source, (Most) / sizeof(wchar_t))
#define RtlStringCbCatW(Target, Room, Source) RtlStringCchCatW(Target, (Room) / sizeof(wchar_t), Source)
#define RtlStringCbVPrintfW(Target, Room, Format, Arguments) \
    RtlStringCchVPrintfW(Target, (Room) / sizeof(wchar_t), Format, Arguments)

DIRQL_STRSAFE NTSTATUS RtlUnicodeStringPrintf(PUNICODE_STRING Target, const wchar_t *Format, ...)
{
    va_list arguments;
    int length, room = Target->MaximumLength / (int)sizeof(wchar_t);

    va_start(arguments, Format);
    length = _vsnwprintf(Target->Buffer, room, Format, arguments);
    va_end(arguments);
    Target->Length = (USHORT)((length < 0 || length > room ? room : length) * sizeof(wchar_t));
    return length < 0 || length > room ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

DIRQL_STRSAFE NTSTATUS RtlUnicodeStringCopyString(PUNICODE_STRING Target, const wchar_t *Source)
{
    USHORT at = 0, room = Target->MaximumLength / sizeof(wchar_t);

    while (at < room && Source[at] != 0) {
        Target->Buffer[at] = Source[at];
        at++;
    }
    Target->Length = at * sizeof(wchar_t);
    return Source[at] == 0 ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

#endif
