"""dirql runs the interrupt path of a PCIe driver against a PCIe device that one can hold still."""
