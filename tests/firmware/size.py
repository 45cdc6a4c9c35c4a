#!/usr/bin/env python3
"""Flash and RAM of a firmware ELF file, and which crate the flash belongs to.

  tests/firmware/size.py [--json] [--symbols N] ELF

Needs the binutils of gcc-arm-none-eabi, and for the second column an ELF file with line tables.
Two ways of telling whose a byte of code is, because neither is the truth alone:

  symbol  the function in whose machine code the byte is. What was inlined counts for the function
          that it was inlined into, so `main` takes from the libraries.
  source  the source line that the byte was made from, taken back out of what it was inlined into.

In both, code of `core`, of embassy and of other crates counts for the product crate (sectag,
a backend, the MQTT client, the app) that it was instantiated for or inlined into.
"""

import argparse
import bisect
import collections
import json
import pathlib
import re
import subprocess
import sys

BINUTILS = "arm-none-eabi-"
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# `__rustc`: the panic handler, which is the board's.
APP_CRATES = {"sectag_firmware", "__rustc"}  # and the binary itself
CORE_CRATES = {"core", "alloc", "std", "compiler_builtins"}
APP, CORE, EMBASSY, OTHER = "board/app", "core", "embassy*", "other crates"
# Constants are anonymous in the symbol table.
ANONYMOUS = "no symbol (constants, vectors, padding)"


def tool(name, *arguments, stdin=None):
    command = [BINUTILS + name, *arguments]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True)
    except FileNotFoundError:
        sys.exit(f"error: {command[0]} not found\nhint: apt-get install gcc-arm-none-eabi")
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(map(str, command[:4]))}: {done.stderr.strip()}")
    return done.stdout


def row_of(crate):
    if crate in APP_CRATES:
        return APP
    if crate in CORE_CRATES:
        return CORE
    # The budgets of the core include what it looks into credentials with.
    if crate == "sectag_inspect":
        return "sectag"
    if re.match(r"sectag(_|$)", crate) or crate == "minimq":
        return crate
    return EMBASSY if crate.startswith("embassy") else OTHER


def is_product(row):
    return row not in (CORE, EMBASSY, OTHER)


def choose(rows):
    """The first product among candidates in order of precedence; else the most telling one."""
    rows = list(rows)
    for row in rows:
        if is_product(row):
            return row
    for kind in (EMBASSY, OTHER):
        if kind in rows:
            return kind
    return CORE


# --- sections --------------------------------------------------------------------------------

Section = collections.namedtuple("Section", "name size address flags")


def sections(elf):
    found = []
    lines = tool("objdump", "--section-headers", "--wide", elf).splitlines()
    for line in lines:
        match = re.match(r"\s*\d+ (\S+)\s+(\w{8})\s+(\w{8})\s+\w{8}\s+\w{8}\s+\S+\s+(.*)", line)
        if match:
            name, size, address, flags = match.groups()
            found.append(Section(name, int(size, 16), int(address, 16), flags))
    return [section for section in found if "ALLOC" in section.flags and section.size]


def totals(all_sections):
    in_flash = [s for s in all_sections if "LOAD" in s.flags]
    in_ram = [s for s in all_sections if s.address >= 0x2000_0000]
    return {
        "flash": sum(s.size for s in in_flash),
        "static_ram": sum(s.size for s in in_ram),
        "sections": {s.name: s.size for s in all_sections},
    }


# --- by symbol -------------------------------------------------------------------------------

Symbol = collections.namedtuple("Symbol", "address size code name row")


def without_trait(name):
    """`<A as B>::f` as `<A>::f`: whose type it is says more than whose trait it is."""
    result, depth, skip_at = [], 0, []
    i = 0
    while i < len(name):
        if name.startswith(" as ", i):
            skip_at.append(depth)
        if name[i] == "<":
            depth += 1
        elif name[i] == ">" and name[i - 1] != "-":
            if skip_at and skip_at[-1] == depth:
                skip_at.pop()
            depth -= 1
        if not skip_at:
            result.append(name[i])
        i += 1
    return "".join(result)


def crates_in(name):
    """The crates that paths in a demangled name start with, in order."""
    return re.findall(r"(?<![\w:])([A-Za-z_]\w*)(?:\[[0-9a-f]+\])?::", name)


def row_of_symbol(name):
    crates = crates_in(without_trait(name)) or crates_in(name)
    rows = [row_of(crate) for crate in crates]
    if crates and not any(map(is_product, rows)):
        rows += [row_of(crate) for crate in crates_in(name)]
    if rows:
        return choose(rows)
    return UNMANGLED.get(name, CORE)


# Symbols without a crate, other than compiler_builtins' memcpy and the like.
UNMANGLED = {
    **dict.fromkeys(
        ("main", "__pender", "__INTERRUPTS", "SysTick", "HardFault", "DefaultHandler")
        + ("_embassy_time_now", "_embassy_time_schedule_wake"),
        APP,
    ),
    **dict.fromkeys(
        ("Reset", "__EXCEPTIONS", "HardFaultTrampoline", "DefaultPreInit")
        + ("_critical_section_1_0_acquire", "_critical_section_1_0_release"),
        OTHER,
    ),
    "__embassy_time_queue_item_from_waker": EMBASSY,
}


def symbols(elf):
    """Sized symbols in flash, one per address."""
    by_address = {}
    listing = tool("nm", "--print-size", "--demangle", "--radix=d", "--defined-only", elf)
    for line in listing.splitlines():
        match = re.match(r"(\d+) (\d+) (\w) (.*)", line)
        if not match:
            continue
        address, size, kind, name = match.groups()
        if kind.lower() not in "trdvw" or int(size) == 0:
            continue
        code = kind.lower() in "tw"
        address = int(address) & ~1 if code else int(address)
        symbol = Symbol(address, int(size), code, name, row_of_symbol(name))
        # Merged functions have several names; a product's name is kept over another.
        kept = by_address.get(address)
        if kept is None or (is_product(symbol.row) and not is_product(kept.row)):
            by_address[address] = symbol
    return [by_address[address] for address in sorted(by_address)]


def by_symbol(all_symbols):
    rows = collections.Counter()
    end = 0
    for symbol in all_symbols:
        # Never count a byte twice, should symbols overlap.
        start = max(symbol.address, end)
        end = max(end, symbol.address + symbol.size)
        rows[symbol.row] += max(0, end - start)
    return rows


# --- by source -------------------------------------------------------------------------------


def row_of_file(path):
    match = re.search(r"/registry/src/[^/]+/([^/]+?)-\d+\.[^/]*/", path)
    if match:
        return row_of(match[1].replace("-", "_"))
    if re.search(r"/library/(core|alloc|compiler-builtins|std)/", path):
        return CORE
    try:
        parts = pathlib.Path(path).relative_to(REPOSITORY).parts
    except ValueError:
        return None
    if parts[0] in ("src", "inspect"):
        return "sectag"
    if parts[0] == "modems":
        return "sectag_" + parts[1]
    return APP if parts[:2] == ("examples", "firmware") else None


def source_lines(elf, all_symbols, *options):
    """What addr2line says of each halfword of code, from the inside out of what was inlined."""
    halfwords = set()
    for symbol in all_symbols:
        if symbol.code:
            halfwords.update(range(symbol.address, symbol.address + symbol.size, 2))
    request = "".join(f"{address:#x}\n" for address in sorted(halfwords))
    return tool("addr2line", "--exe", elf, "--inlines", *options, stdin=request).splitlines()


def by_source(elf, all_symbols):
    """Rows by source line, or None if the file has no line tables."""
    output = source_lines(elf, all_symbols, "--addresses")
    starts = [symbol.address for symbol in all_symbols]
    rows = collections.Counter()
    known = False

    def count(address, frames):
        nonlocal known
        found = [row for row in frames if row]
        known |= bool(found)
        # From the inside out. Code without lines belongs to its symbol.
        symbol = all_symbols[bisect.bisect_right(starts, address) - 1]
        rows[choose(found) if found else symbol.row] += 2

    address, frames = None, []
    files = {}
    for line in output:
        if line.startswith("0x"):
            if address is not None:
                count(address, frames)
            address, frames = int(line, 16), []
        else:
            path = line.rpartition(":")[0]
            if path not in files:
                files[path] = row_of_file(path)
            frames.append(files[path])
    if address is not None:
        count(address, frames)
    if not known:
        return None
    for symbol in all_symbols:
        if not symbol.code:
            rows[symbol.row] += symbol.size
    return rows


# --- report ----------------------------------------------------------------------------------


def report(elf):
    result = totals(sections(elf))
    all_symbols = symbols(elf)
    result["by_symbol"] = by_symbol(all_symbols)
    result["by_source"] = by_source(elf, all_symbols)
    for rows in (result["by_symbol"], result["by_source"]):
        if rows is not None:
            rows[ANONYMOUS] = result["flash"] - sum(rows.values())
    return result, all_symbols


def print_table(result, largest):
    print(f"flash       {result['flash']:7}  (code + constants + initial values of statics)")
    print(f"static RAM  {result['static_ram']:7}  (data + bss; the stack comes on top)")
    print("  " + "  ".join(f"{name} {size}" for name, size in result["sections"].items()))
    print()
    source = result["by_source"] or {}
    print(f"{'flash by crate':42}{'symbol':>8}{'source':>8}")
    fixed = [APP, EMBASSY, CORE, OTHER, ANONYMOUS]
    rows = sorted((set(result["by_symbol"]) | set(source)) - set(fixed)) + fixed
    for row in rows:
        by_source_text = source.get(row, 0) if source else "-"
        print(f"{row:42}{result['by_symbol'].get(row, 0):8}{by_source_text:>8}")
    if largest:
        print("\nlargest symbols")
        for symbol in largest:
            print(f"{symbol.size:7}  {symbol.row:14}  {symbol.name[:140]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("elf")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--symbols", type=int, default=0, metavar="N", help="list the N largest")
    options = parser.parse_args()
    APP_CRATES.add(pathlib.Path(options.elf).name.replace("-", "_"))
    result, all_symbols = report(options.elf)
    largest = sorted(all_symbols, key=lambda symbol: -symbol.size)[: options.symbols]
    if options.json:
        fields = ("size", "row", "name")
        result["symbols"] = [{f: getattr(symbol, f) for f in fields} for symbol in largest]
        print(json.dumps(result, indent=2))
    else:
        print_table(result, largest)


if __name__ == "__main__":
    main()
