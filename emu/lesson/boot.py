# SPDX-License-Identifier: GPL-2.0-or-later
"""From a program's name to a machine that is about to boot it: images, command line, switches, symbols."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from emu import resources
from emu.bits import PhysicalAddress
from emu.cpu import engine_state
from emu.cpu import model as cpu_model
from emu.devices.disk import DiskImage
from emu.guest.boot import boot_layout
from emu.guest.catalogue import Catalogue, Program, load_catalogue, own_program
from emu.guest.cpio import make_cpio, read_cpio
from emu.guest.elf import read_file
from emu.guest.image import KernelImage, load_kernel
from emu.guest.overlay import OWN_SOURCES
from emu.guest.switches import read_switches
from emu.guest.symbols import Symbols, SymbolTable
from emu.lesson.disk import disk_image
from emu.lesson.files import GuestFile, guest_files
from emu.machine import Boot, Machine
from emu.net.setup import PACES, NetworkRequest, network_request
from emu.tlb.geometry_file import geometry
from emu.tlb.presets import DEFAULT
from emu.view.inspector import Inspector

DEFAULT_MEMORY_MIB = 32
LEAST_MEMORY_MIB = 8
MOST_MEMORY_MIB = 1024
DEFAULT_BUDGET = 100_000_000


class BootError(Exception):
    """What was asked for cannot be booted: one line with what, where, and the mend."""


@dataclass(frozen=True, slots=True)
class BootRequest:
    """Everything that decides a run. The same request gives the same events, every time."""

    program: str | None
    arguments: tuple[str, ...] = ()
    tlb: str = DEFAULT
    switches: tuple[tuple[str, str], ...] = ()
    memory_mib: int = DEFAULT_MEMORY_MIB
    seed: int = 0
    kernel: Path | None = None
    cpu: str = cpu_model.DEFAULT
    disk: DiskImage | None = None
    network: NetworkRequest | None = None
    """None: cards only if the program's row in programs.toml asks for them."""
    files: tuple[GuestFile, ...] = ()
    """Put into the guest's archive beside the programs."""


@dataclass(frozen=True, slots=True)
class Booted:
    """A machine at reset, with what is needed to speak of it in names."""

    request: BootRequest
    machine: Machine
    inspector: Inspector
    kernel: KernelImage
    program: Program | None
    command_line: str


@cache
def bundled_kernel() -> KernelImage:
    """The kernel image that comes with Pagewalk."""
    return load_kernel(resources.guest_images() / "kernel.elf")


@cache
def bundled_programs() -> Catalogue:
    """The programs that come with Pagewalk."""
    return load_catalogue(resources.guest_images(), resources.guest_sources())


@cache
def _bundled_archive() -> bytes:
    return read_file(resources.guest_images() / "programs.cpio", "archive of programs")


def find_program(name: str) -> Program:
    """A bundled program by name, or one's own by path (an ELF; a .c or .S file is compiled first)."""
    if "/" not in name and name in bundled_programs().programs:
        return bundled_programs().program(name)
    path = Path(name)
    if "/" not in name and not path.suffix:
        return bundled_programs().program(name)
    if path.suffix in (".c", ".S"):
        return _compiled(path)
    return own_program(path)


def _compiled(path: Path) -> Program:
    from tempfile import TemporaryDirectory

    from emu.guest.build import build_program

    with TemporaryDirectory(prefix="pagewalk-") as folder:
        program = own_program(Path(folder) / path.stem)
        build_program(path, program.path, resources.guest_sources())
        assert program.data  # read while it is there
    return program


def command_line(program: Program | None, request: BootRequest) -> str:
    """The guest kernel's command line. BootError for a word that it cannot carry."""
    words = [f"program={program.name}"] if program else []
    words += [f"arg={argument}" for argument in request.arguments]
    words += [f"{name}={value}" for name, value in request.switches]
    for word in words:
        if not word.isascii() or any(c <= " " or c == "\x7f" for c in word):
            raise BootError(
                f"argument {word!r}: the guest's command line takes no blanks and no control characters"
            )
    return " ".join(words)


def boot(request: BootRequest, keep_history: bool = True) -> Booted:
    """A machine ready to boot `request`. Raises the one-line errors of guest, geometry and CPU model, and BootError."""
    engine_state.verify()
    if not LEAST_MEMORY_MIB <= request.memory_mib <= MOST_MEMORY_MIB:
        raise BootError(f"memory of {request.memory_mib} MiB: give {LEAST_MEMORY_MIB} to {MOST_MEMORY_MIB}")
    chosen = geometry(request.tlb)
    model = cpu_model.parse(request.cpu)
    kernel = load_kernel(request.kernel) if request.kernel else bundled_kernel()
    if kernel.bits == 64 and not model.has("lm"):
        raise BootError(
            f"--cpu {request.cpu} has no long mode (lm), and {kernel.name} is a 64-bit kernel; "
            "choose a CPU with lm, or give a 32-bit kernel with --kernel"
        )
    if request.kernel is None:
        read_switches(kernel).validate(dict(request.switches))
    program = find_program(request.program) if request.program is not None else None
    words = command_line(program, request)
    layout = boot_layout(kernel, request.memory_mib << 20, words, _archive(program, request.files))
    symbols = Symbols(kernel.symbols, _symbol_tables(program))
    network = request.network
    if network is None and program is not None and program.network:
        network = network_request()
    machine = Machine(
        Boot(
            segments=tuple((PhysicalAddress(s.physical), s.data) for s in layout.segments),
            entry=layout.entry,
            start_info=layout.ebx,
            tracepoints={point.address: point for point in kernel.symbols.tracepoints()},
            syscall_names=kernel.symbols.enumeration("syscall_number"),
            role_names=kernel.symbols.enumeration("ukshm_role"),
            memory_mib=request.memory_mib,
            disk=request.disk,
            network=network.setup if network else None,
        ),
        chosen,
        keep_history,
        model,
        request.seed,
    )
    inspector = Inspector(machine, symbols)
    if request.kernel is not None:
        inspector.own_sources = request.kernel.parent / OWN_SOURCES
    machine.has_sleeper = lambda: any(process.state == "sleeping" for process in inspector.processes())
    return Booted(request, machine, inspector, kernel, program, words)


def _archive(program: Program | None, files: Sequence[GuestFile]) -> bytes:
    bundled = bundled_programs()
    own = (
        {program.name: program.data} if program and bundled.programs.get(program.name) is not program else {}
    )
    if not files and not own:
        return _bundled_archive()
    archive = read_cpio(_bundled_archive()) | own
    for file in files:
        if file.name in bundled.programs or file.name in own:
            raise BootError(
                f"file {file.name}: the guest has a file of that name already; give it another name"
            )
        archive[file.name] = file.data
    return make_cpio(archive)


def _symbol_tables(program: Program | None) -> dict[str, SymbolTable]:
    tables = {name: bundled.symbols for name, bundled in bundled_programs().programs.items()}
    if program is not None:
        tables[program.name] = program.symbols
    return tables


PathOrPaths = str | Path | Sequence[str | Path]
"""One file or several."""


def texts(paths: PathOrPaths) -> tuple[str, ...]:
    """One or several, as the texts that options hold."""
    several = (paths,) if isinstance(paths, str | Path) else paths
    return tuple(str(path) for path in several)


def request_of(
    program: str | None,
    arguments: Sequence[str] = (),
    *,
    tlb: str = DEFAULT,
    switches: Mapping[str, str] | None = None,
    memory_mib: int = DEFAULT_MEMORY_MIB,
    seed: int = 0,
    kernel: Path | None = None,
    cpu: str = cpu_model.DEFAULT,
    disk: str | None = None,
    net_in: Sequence[str] = (),
    net_pace: str = PACES[0],
    peer: Sequence[str] = (),
    network: bool = False,
    cards: bool = False,
    files: Sequence[str] = (),
) -> BootRequest:
    """A request from the plain values that commands and scenarios have. DiskError if `disk` names none.

    `net_in`, `net_pace` and `peer`: see emu.net.setup; bad ones are a NetError. `cards`: they are plugged in even if
    nothing comes in; `network`: and their links stay up, so that frames may come from elsewhere. `files`: host files
    for the guest's archive; FileError if they cannot be had.
    """
    pairs = tuple(sorted((switches or {}).items()))
    image = disk_image(disk) if disk is not None else None
    wires = None
    if net_in or peer or network or cards or net_pace != PACES[0]:
        wires = network_request(net_in, net_pace, peer, network)
    given = guest_files(files)
    return BootRequest(
        program, tuple(arguments), tlb, pairs, memory_mib, seed, kernel, cpu, image, wires, given
    )
