#!/usr/bin/env python3
"""Measures a map of a million entries with `sekisho map query`: how long it takes to read, and to find a key in it.

    cargo build --release --locked && benches/maps.py [SEKISHO]

Exits with 1 where a figure is over its budget. The program's start, its input and its output are part of the figures.
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ENTRIES = 1_000_000
LOAD_SECS_MAX = 1.0
LOOK_UP_MICROS_MAX = 2.0
TURNS = 5


def key(n):
    return (f"user{n}@mail{n % 977}.example.com", f"host{n}.example.net", f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}")[n % 3]


def took(sekisho, table, keys):
    started = time.monotonic()
    subprocess.run([sekisho, "map", "query", f"access:{table}"], input=keys, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - started


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    sekisho = sys.argv[1] if len(sys.argv) > 1 else root / "target/release/sekisho"
    with tempfile.TemporaryDirectory() as folder:
        table = pathlib.Path(folder, "access")
        table.write_text("".join(f"{key(n)}\tREJECT spam\n" for n in range(ENTRIES)))
        # Each second key is there.
        asked = "".join(f"{key(n * 7919 % (2 * ENTRIES))}\n" for n in range(ENTRIES)).encode()
        load = statistics.median(took(sekisho, table, f"{key(1)}\n".encode()) for _ in range(TURNS))
        both = statistics.median(took(sekisho, table, asked) for _ in range(TURNS))
    look_up = (both - load) / ENTRIES * 1e6
    print(f"a map of {ENTRIES:,} entries: read in {load:.2f} s (at most {LOAD_SECS_MAX}), a key in {look_up:.2f} µs (at most {LOOK_UP_MICROS_MAX})")
    return int(load > LOAD_SECS_MAX or look_up > LOOK_UP_MICROS_MAX)


if __name__ == "__main__":
    sys.exit(main())
