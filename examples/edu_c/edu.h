/* What a program needs to ask the edu driver for work. */
#ifndef EDU_H
#define EDU_H

/* {6D0B8F3A-52C1-4E9E-9B1D-0E44E5D11E80} */
DEFINE_GUID(GUID_DEVINTERFACE_EDU, 0x6d0b8f3a, 0x52c1, 0x4e9e, 0x9b, 0x1d, 0x0e, 0x44, 0xe5, 0xd1, 0x1e, 0x80);

#define EDU_DEVICE_TYPE 0x8ED0

/* In: ULONG n. Out: ULONG n!, modulo 2^32. */
#define IOCTL_EDU_FACTORIAL CTL_CODE(EDU_DEVICE_TYPE, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)

/* In: up to 2048 bytes. Out: the same bytes, by way of the device's buffer. */
#define IOCTL_EDU_ROUND_TRIP CTL_CODE(EDU_DEVICE_TYPE, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS)

#endif
