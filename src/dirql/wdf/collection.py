"""WDFCOLLECTION: an ordered list of framework objects, each referenced while it is in the list."""

from __future__ import annotations

from dirql.ddi import ddi, ddi_create
from dirql.wdf.creation import parent_of, validate
from dirql.wdf.framework import Framework
from dirql.wdf.object import Object, ObjectAttributes, expect

__all__ = ["Collection"]


class Collection(Object):
    """WDFCOLLECTION. The driver serialises access to it: it has no lock of its own."""

    kind = "WDFCOLLECTION"

    def __init__(self, framework: Framework, parent: Object | None, attributes: ObjectAttributes | None) -> None:
        super().__init__(framework, parent, attributes)
        self._items: list[Object] = []

    @classmethod
    @ddi_create("WdfCollectionCreate")
    def create(cls, parent: Object | Framework, attributes: ObjectAttributes | None = None) -> Collection:
        """WdfCollectionCreate. Without a parent the driver is it."""
        validate(cls.kind, attributes)
        above = parent_of(parent, attributes, "WdfCollectionCreate")
        framework = parent if isinstance(parent, Framework) else parent.framework
        return cls(framework, above if above is not None else framework.driver, attributes)

    @ddi("WdfCollectionGetCount")
    def get_count(self) -> int:
        """WdfCollectionGetCount."""
        return len(self._items)

    @ddi("WdfCollectionAdd")
    def add(self, item: Object) -> None:
        """WdfCollectionAdd: at the end, with a reference."""
        expect(item, Object, "WdfCollectionAdd").references += 1
        self._items.append(item)

    @ddi("WdfCollectionRemove")
    def remove(self, item: Object) -> None:
        """WdfCollectionRemove: the first entry that is `item`. One that is not there: traced, nothing else."""
        expect(item, Object, "WdfCollectionRemove")
        if item not in self._items:
            self.framework.complain("not-in-collection", f"WdfCollectionRemove: {item.name} is not in {self.name}")
            return
        self._items.remove(item)
        item._release()

    @ddi("WdfCollectionRemoveItem")
    def remove_item(self, index: int) -> None:
        """WdfCollectionRemoveItem. Past the end: traced, nothing else."""
        if not 0 <= index < len(self._items):
            self.framework.complain(
                "not-in-collection", f"WdfCollectionRemoveItem: {self.name} has {len(self._items)} items, no [{index}]"
            )
            return
        self._items.pop(index)._release()

    @ddi("WdfCollectionGetItem")
    def get_item(self, index: int) -> Object | None:
        """WdfCollectionGetItem: None past the end."""
        return self._items[index] if 0 <= index < len(self._items) else None

    @ddi("WdfCollectionGetFirstItem")
    def get_first_item(self) -> Object | None:
        """WdfCollectionGetFirstItem."""
        return self._items[0] if self._items else None

    @ddi("WdfCollectionGetLastItem")
    def get_last_item(self) -> Object | None:
        """WdfCollectionGetLastItem."""
        return self._items[-1] if self._items else None

    def on_cleanup(self) -> None:
        """The references it held."""
        items, self._items = self._items, []
        for item in items:
            item._release()
