# SPDX-License-Identifier: GPL-2.0-or-later
"""virtio over MMIO, version 2, and the eight slots of the board (virtio 1.2, "Virtio Over MMIO", 4.2).

The transport has the registers, the feature negotiation, the queues and the interrupt; what a device does with its
chains stands in a file of its own. As in QEMU, registers answer accesses of four bytes only, and a device that the
guest drove into a corner sets DEVICE_NEEDS_RESET and interrupts with a change of its configuration.
"""

from collections.abc import Callable
from typing import ClassVar, Final

from emu.devices.bus import Registers, State
from emu.devices.dma import Dma
from emu.devices.virtqueue import Chain, QueueError, Virtqueue

BASE: Final = 0xFEB0_0000
SLOTS: Final = 8
SLOT_BYTES: Final = 0x200
FIRST_IRQ: Final = 5
CONFIG_SPACE: Final = 0x100

MAGIC_VALUE: Final = 0x74726976
VERSION: Final = 2
VENDOR_ID: Final = 0x554D4551

ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET, FAILED = 1, 2, 4, 8, 64, 128
VERSION_1: Final = 1 << 32
"""The feature bit that a device of today must offer and its driver must accept."""
INTERRUPT_USED, INTERRUPT_CONFIG = 1, 2

_WORD: Final = 0xFFFF_FFFF
_IDENTITY: Final = {0x000: MAGIC_VALUE, 0x004: VERSION, 0x00C: VENDOR_ID}
_QUEUE_ADDRESSES: Final = {
    0x080: ("descriptors", 0), 0x084: ("descriptors", 32),
    0x090: ("driver_area", 0), 0x094: ("driver_area", 32),
    0x0A0: ("device_area", 0), 0x0A4: ("device_area", 32),
}  # fmt: skip


class VirtioDevice(Registers):
    """What a device adds to the transport. It acts on its own at `next_due`, by `advance`."""

    name: str
    device_id: int
    features: int
    """What it offers, VERSION_1 aside."""
    queue_sizes: tuple[int, ...]
    """The most entries of each queue, powers of two."""
    transport: "VirtioMmio"
    """Set by the transport that it is plugged into."""

    def config(self) -> bytes:
        """The configuration space as it is now."""
        raise NotImplementedError

    def write_config(self, offset: int, data: bytes) -> None:
        """The guest writes its configuration space; most devices have nothing to write there."""

    def notified(self, queue: int, now: int) -> None:
        """The doorbell of a queue that is ready was rung at clock value `now`."""
        raise NotImplementedError

    def stopped(self, queue: int) -> None:
        """A queue is gone, by its own stop or by a reset: forget what was under way in it."""
        raise NotImplementedError

    def next_due(self) -> int | None:
        """When it acts next, or None."""
        raise NotImplementedError

    def advance(self, now: int) -> None:
        """Do all that is due up to clock value `now`."""
        raise NotImplementedError

    def is_busy(self) -> bool:
        """Whether a request of the guest is pending."""
        raise NotImplementedError


class VirtioMmio(Registers):
    """The registers of one slot with a device in it. `raise_irq` hears the level of its line."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        *("status", "interrupts", "generation", "feature_word", "driver_word", "driver_features"),
        *("queue_number", "trouble"),
    )

    def __init__(self, device: VirtioDevice, dma: Dma, raise_irq: Callable[[bool], None]) -> None:
        """A slot after power-on."""
        self.device = device
        self.dma = dma
        self._raise_irq = raise_irq
        self._offered = device.features | VERSION_1
        self.queues = tuple(Virtqueue(dma, most) for most in device.queue_sizes)
        self.status = self.interrupts = self.generation = 0
        self.feature_word = self.driver_word = self.driver_features = self.queue_number = 0
        self.trouble = ""
        """Why the device needs a reset, in words."""
        device.transport = self

    # -- what the device calls ----------------------------------------------------------------------------------

    def announced(self, queue: int) -> int:
        """How many chains a doorbell has announced; 0 too if the ring is broken, and the device with it."""
        try:
            return self.queues[queue].announce()
        except QueueError as error:
            self.fail(f"queue {queue}: {error}")
            return 0

    def take(self, queue: int) -> Chain | None:
        """The next announced chain of a queue; None if there is none, or if it is broken, and the device with it."""
        if self.is_broken():
            return None
        try:
            return self.queues[queue].take()
        except QueueError as error:
            self.fail(f"queue {queue}: {error}")
            return None

    def give_back(self, queue: int, chain: Chain, written: int) -> None:
        """Hand back a chain that the device wrote `written` bytes into, and tell the guest if it wants to know."""
        self.queues[queue].give_back(chain, written)
        if self.queues[queue].wants_interrupt():
            self._interrupt(INTERRUPT_USED)

    def change_config(self) -> None:
        """The configuration space has changed."""
        self.generation = self.generation + 1 & _WORD
        if self.status & DRIVER_OK:
            self._interrupt(INTERRUPT_CONFIG)

    def fail(self, why: str) -> None:
        """The guest asked for what cannot be: the device does nothing more until it is reset."""
        if not self.is_broken():
            self.trouble = why
            self.status |= NEEDS_RESET
            self.change_config()

    def is_broken(self) -> bool:
        """Whether only a reset helps."""
        return bool(self.status & NEEDS_RESET)

    def _interrupt(self, cause: int) -> None:
        self.interrupts |= cause
        self._raise_irq(True)

    # -- what the guest reads -----------------------------------------------------------------------------------

    def read(self, offset: int, size: int) -> int:
        """A register, or bytes of the configuration space."""
        if offset >= CONFIG_SPACE:
            start = offset - CONFIG_SPACE
            data = self.device.config()[start : start + size]
            return int.from_bytes(data.ljust(size, b"\xff"), "little")
        return self._register(offset) if size == 4 else 0

    def _register(self, offset: int) -> int:
        match offset:
            case 0x008:
                return self.device.device_id
            case 0x010:
                return self._offered >> 32 * self.feature_word & _WORD
            case 0x034:
                queue = self._queue()
                return queue.most if queue else 0
            case 0x044:
                queue = self._queue()
                return int(queue.ready) if queue else 0
            case 0x060:
                return self.interrupts
            case 0x070:
                return self.status
            case 0x0B0 | 0x0B4 | 0x0B8 | 0x0BC:
                return _WORD  # no shared memory regions: length and base are all ones
            case 0x0FC:
                return self.generation
            case _:
                return _IDENTITY.get(offset, 0)

    def _queue(self) -> Virtqueue | None:
        return self.queues[self.queue_number] if self.queue_number < len(self.queues) else None

    # -- what the guest writes ----------------------------------------------------------------------------------

    def write(self, offset: int, size: int, value: int, now: int) -> None:
        """A register, or bytes of the configuration space, at clock value `now`."""
        if offset >= CONFIG_SPACE:
            self.device.write_config(offset - CONFIG_SPACE, value.to_bytes(size, "little"))
        elif size == 4:
            self._write_register(offset, value, now)

    def _write_register(self, offset: int, value: int, now: int) -> None:
        match offset:
            case 0x014:
                self.feature_word = int(value != 0)
            case 0x020:
                self._accept(value)
            case 0x024:
                self.driver_word = int(value != 0)
            case 0x030:
                self.queue_number = value
            case 0x050:
                self._doorbell(value, now)
            case 0x064:
                self.interrupts &= ~value
                self._raise_irq(self.interrupts != 0)
            case 0x070:
                self._write_status(value & 0xFF)
            case _:
                self._write_queue(offset, value)

    def _accept(self, value: int) -> None:
        if not self.status & FEATURES_OK:
            shift = 32 * self.driver_word
            self.driver_features = self.driver_features & ~(_WORD << shift) | value << shift

    def _write_status(self, value: int) -> None:
        """Zero resets. FEATURES_OK does not stay if the driver accepts what was not offered, or not VERSION_1."""
        if value == 0:
            self._reset()
            return
        wrong = self.driver_features & ~self._offered or not self.driver_features & VERSION_1
        if wrong and not self.status & FEATURES_OK:
            value &= ~FEATURES_OK
        self.status = value & ~NEEDS_RESET | self.status & NEEDS_RESET

    def _reset(self) -> None:
        for number, queue in enumerate(self.queues):
            self.device.stopped(number)
            queue.reset()
        self.status = self.interrupts = 0
        self.feature_word = self.driver_word = self.driver_features = self.queue_number = 0
        self.trouble = ""
        self._raise_irq(False)

    def _doorbell(self, number: int, now: int) -> None:
        if self.status & (NEEDS_RESET | FAILED):
            return
        if not self.status & DRIVER_OK:
            self.fail(f"the doorbell of queue {number} was rung before DRIVER_OK")
        elif number >= len(self.queues):
            self.fail(f"the doorbell of queue {number} was rung, and there are {len(self.queues)}")
        elif not self.queues[number].ready:
            self.fail(f"the doorbell of queue {number} was rung, which is not ready")
        else:
            self.device.notified(number, now)

    def _write_queue(self, offset: int, value: int) -> None:
        queue = self._queue()
        if queue is None:
            return
        if offset == 0x044:
            self._set_ready(queue, value != 0)
        elif queue.ready:
            return  # size and addresses hold until it is stopped
        elif offset == 0x038:
            queue.size = value
        elif offset in _QUEUE_ADDRESSES:
            area, shift = _QUEUE_ADDRESSES[offset]
            setattr(queue, area, getattr(queue, area) & ~(_WORD << shift) | value << shift)

    def _set_ready(self, queue: Virtqueue, ready: bool) -> None:
        if ready and not queue.ready:
            try:
                queue.start()
            except QueueError as error:
                self.fail(f"queue {self.queue_number}: {error}")
        elif not ready and queue.ready:
            queue.stop()
            self.device.stopped(self.queue_number)

    # -- checkpoints --------------------------------------------------------------------------------------------

    def state(self) -> State:
        """The registers, the queues and the device."""
        return (super().state(), tuple(queue.state() for queue in self.queues), self.device.state())

    def load_state(self, state: State) -> None:
        """The registers, the queues and the device."""
        registers, queues, device = state
        super().load_state(registers)
        for queue, part in zip(self.queues, queues, strict=True):
            queue.load_state(part)
        self.device.load_state(device)


class VirtioSlots:
    """Slot n at `BASE + n * SLOT_BYTES`, interrupt line `FIRST_IRQ + n`.

    An empty slot answers magic, version and vendor, and device id 0; the specification asks a driver to ignore it
    without complaint.
    """

    def __init__(self) -> None:
        """Eight empty slots."""
        self.name = "virtio"
        self.base = BASE
        self.size = SLOTS * SLOT_BYTES
        self.slots: list[VirtioMmio | None] = [None] * SLOTS
        self._taken: list[VirtioMmio] = []
        self._now = 0

    def plug(self, slot: int, device: VirtioDevice, dma: Dma, raise_irq: Callable[[bool], None]) -> None:
        """Put a device into a slot, before the machine runs."""
        self.slots[slot] = VirtioMmio(device, dma, raise_irq)
        self._taken = [taken for taken in self.slots if taken]

    def read_mmio(self, offset: int, size: int) -> int:
        """A register of the slot that `offset` falls in, cut to `size` bytes."""
        number, register = divmod(offset, SLOT_BYTES)
        slot = self.slots[number]
        value = slot.read(register, size) if slot else _IDENTITY.get(register, 0)
        return value & (1 << 8 * size) - 1

    def write_mmio(self, offset: int, size: int, value: int) -> None:
        """A register of the slot that `offset` falls in; nothing listens in an empty one."""
        number, register = divmod(offset, SLOT_BYTES)
        slot = self.slots[number]
        if slot:
            slot.write(register, size, value, self._now)

    def next_due(self) -> int | None:
        """The earliest of all devices."""
        dues = (slot.device.next_due() for slot in self._taken)
        return min((due for due in dues if due is not None), default=None)

    def advance(self, now: int) -> None:
        """Let every device do what is due."""
        self._now = max(now, self._now)
        for slot in self._taken:
            slot.device.advance(now)

    def is_busy(self) -> bool:
        """Whether some device has a request of the guest pending."""
        return any(slot.device.is_busy() for slot in self._taken)

    def state(self) -> State:
        """The clock and every slot with a device."""
        return (self._now, *(slot.state() for slot in self._taken))

    def load_state(self, state: State) -> None:
        """The clock and every slot with a device."""
        self._now, *parts = state
        for slot, part in zip(self._taken, parts, strict=True):
            slot.load_state(part)
