#!/usr/bin/env python3
"""Checks compiled code: no function that switches goroutines holds an address that belongs to the thread.

Usage: check_switches.py PROGRAM. Prints one line per violation; exit status 1 if there is any, or nothing to check.

A function with a context switch in it (src/os/context_x86_64.h: an indirect jump that an endbr64 follows) goes on, after
the switch, on whatever thread. An address of thread-local storage that it had before is then another thread's. Such an
address can only come from the thread pointer, read from %fs:0, or from a call that returns one; single values read
through %fs are fine, since the code asks for them anew (this_worker()), and so is the stack protector's word.
The scheduling loop is left out: its stack belongs to one thread and comes back there. For x86-64; the tests of migration look at the same from the outside, on every architecture.
"""

import re
import subprocess
import sys

FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
SWITCH = re.compile(r"\bjmp +\*0x10\(%rsi\)")
THREAD_POINTER = re.compile(r"%fs:0x0\b|\brdfsbase\b")
CALL = re.compile(r"\bcall +.*<(__tls_get_addr|__errno_location|__cxa_get_globals(?:_fast)?|pthread_self)(?:@plt)?>")

STAYS_ON_ITS_THREAD = re.compile(r"^pirn::rt::(\(anonymous namespace\)::)?(worker_loop|execute)\(")


def functions(lines):
    """(name, instructions) of each function of a disassembly."""
    name, body = None, []
    for line in lines:
        if match := FUNCTION.match(line):
            if name:
                yield name, body
            name, body = match[1], []
        elif "\t" in line:
            body.append(line.split("\t")[-1].strip())
    if name:
        yield name, body


def switches(body):
    """Whether a switch that comes back is among the instructions."""
    return any(SWITCH.search(one) and next_one.startswith("endbr64") for one, next_one in zip(body, body[1:]))


def violations(name, body):
    if STAYS_ON_ITS_THREAD.match(name):
        return
    for instruction in body:
        if THREAD_POINTER.search(instruction) or CALL.search(instruction):
            yield f"{name}: switches goroutines, and has: {instruction}"


def main(arguments):
    if len(arguments) != 1:
        print("usage: check_switches.py PROGRAM", file=sys.stderr)
        return 2
    dump = subprocess.run(["objdump", "-d", "-C", "--no-show-raw-insn", "-j", ".text", arguments[0]],
                          check=True, capture_output=True, text=True).stdout.splitlines()
    found = [(name, body) for name, body in functions(dump) if switches(body)]
    bad = [line for name, body in found for line in violations(name, body)]
    for line in bad:
        print(line)
    print(f"{len(found)} functions with a switch, {len(bad)} violations")
    if not found:
        print("nothing to check")
    return 1 if bad or not found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
