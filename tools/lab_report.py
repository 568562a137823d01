#!/usr/bin/env python3
"""Reads the lab's JSON: tells which targets were missed (no failure: the machine may be busy), fails for entries that
could not be measured because their program crashed, hung or came to a wrong result."""

import json
import sys

BROKEN = ("ran past its time limit", "died of signal", "exit status")


def main() -> int:
    with open(sys.argv[1], encoding="utf-8") as report:
        entries = json.load(report)
    missed = [e for e in entries if e["verdict"] == "miss"]
    skipped = [e for e in entries if e["verdict"] == "skipped"]
    broken = [e for e in missed if any(word in str(e.get("why", "")).lower() for word in BROKEN)]
    print(f"pirn: quick lab: {len(entries)} entries, {len(entries) - len(missed) - len(skipped)} on target")
    for e in skipped:
        print(f"pirn: quick lab: {e['id']} skipped: {e.get('why', '')}")
    for e in missed:
        kind = "BROKEN" if e in broken else "missed"
        print(f"pirn: quick lab: {e['id']} {kind}: {e.get('why', '')}")
    return 1 if broken or not entries else 0


if __name__ == "__main__":
    sys.exit(main())
