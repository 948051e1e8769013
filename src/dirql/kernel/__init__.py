"""The NT kernel's part: IRQLs, interrupt objects, DPCs, locks, threads, waiting, timers, work items, register access."""

from dirql.kernel.dpc import Importance, Kdpc
from dirql.kernel.ex_timer import ExTimer
from dirql.kernel.fast_mutex import FastMutex
from dirql.kernel.interrupt import InterruptController, Source
from dirql.kernel.io_space import IoSpace, PortSpace
from dirql.kernel.irql import APC_LEVEL, DISPATCH_LEVEL, HIGH_LEVEL, PASSIVE_LEVEL
from dirql.kernel.kernel import Kernel
from dirql.kernel.kinterrupt import KInterrupt
from dirql.kernel.lock import SpinLock
from dirql.kernel.resource import Resource
from dirql.kernel.rundown import Rundown
from dirql.kernel.stop import BugCheck, Hang, Stop
from dirql.kernel.thread import Thread
from dirql.kernel.timer import Ktimer
from dirql.kernel.wait import Event, EventType, Mutex, Semaphore

__all__ = [
    "APC_LEVEL", "DISPATCH_LEVEL", "HIGH_LEVEL", "PASSIVE_LEVEL", "BugCheck", "Event", "EventType", "ExTimer", "FastMutex",
    "Hang", "Importance", "InterruptController", "IoSpace", "KInterrupt", "Kdpc", "Kernel", "Ktimer", "Mutex", "PortSpace",
    "Resource", "Rundown", "Semaphore", "Source", "SpinLock", "Stop", "Thread",
]  # fmt: skip
