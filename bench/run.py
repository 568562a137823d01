#!/usr/bin/env python3
"""Runs pirn-bench and its peers side by side and compares their medians.

Every sample is a fresh process, and the contenders take turns within each round, so that a machine that slows down or
heats up slows them all. What is to be reached stands in targets.json. Exit status: 0, also with targets missed;
1 when a workload failed its own check or crashed; 2 for bad arguments.
"""

import argparse
import glob
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
SAMPLE_LIMIT_S = 180
SCALING_PROCS = (1, 2, 4, 8, 16)


class Refused(Exception):
    """A request that cannot be met: one line, exit status 2."""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Refused(message)


def child_environment():
    """The environment without the knobs of the runtimes: the figures are those of stock settings."""
    knobs = ("GOMAXPROCS", "GOMEMLIMIT", "GODEBUG", "GOGC", "PIRN_DEBUG", "TOKIO_WORKER_THREADS")
    return {name: value for name, value in os.environ.items() if name not in knobs}


# ---- Contenders -------------------------------------------------------------------------------------------------


def output_of(command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


def newest_go():
    """The newest Go toolchain of this machine as (version, path), or None."""
    candidates = [shutil.which("go"), "/usr/local/go/bin/go", *glob.glob("/usr/lib/go-*/bin/go")]
    found = []
    for path in sorted({os.path.realpath(c) for c in candidates if c and os.access(c, os.X_OK)}):
        match = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", output_of([path, "version"], cwd="/").stdout)
        if match:
            found.append((tuple(int(part or 0) for part in match.groups()), path))
    return max(found) if found else None


def build_go(build_dir, note):
    """Builds the Go side with the newest toolchain; its path, or None (said why) when this machine cannot."""
    go = newest_go()
    if go is None:
        note("go: skipped, there is no Go toolchain on this machine")
        return None
    version, path = go
    needed = re.search(r"^go (\d+)\.(\d+)", (HERE / "go" / "go.mod").read_text(), re.MULTILINE)
    if version[:2] < tuple(int(part) for part in needed.groups()):
        note(f"go: skipped, {path} is older than Go {needed[1]}.{needed[2]}")
        return None
    binary = build_dir / "bench" / "go-bench"
    environment = child_environment() | {
        "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOWORK": "off", "CGO_ENABLED": "0",
    }
    if "HOME" not in environment:
        environment.setdefault("GOCACHE", str(build_dir / "bench" / "go-cache"))
    built = output_of([path, "build", "-o", str(binary), "."], cwd=HERE / "go", env=environment)
    if built.returncode != 0:
        raise RuntimeError("the Go side does not build:\n" + built.stderr.strip())
    note("go: " + ".".join(str(part) for part in version) + f" ({path})")
    return binary


def build_tokio(build_dir, note):
    """Builds the Tokio side with Cargo; its path, or None (said why) when this machine cannot."""
    search = os.pathsep.join([os.environ.get("PATH", ""), os.path.expanduser("~/.cargo/bin")])
    cargo = shutil.which("cargo", path=search)
    if cargo is None:
        note("tokio: skipped, there is no Cargo on this machine")
        return None
    project = HERE / "tokio"
    manifest = (project / "Cargo.toml").read_text()
    needed = re.search(r'^rust-version = "(\d+)\.(\d+)"', manifest, re.MULTILINE)
    version = re.search(r"cargo (\d+)\.(\d+)\.\d+", output_of([cargo, "--version"], cwd=project).stdout)
    if version is None:
        note(f"tokio: skipped, {cargo} does not tell its version")
        return None
    if tuple(map(int, version.groups())) < tuple(map(int, needed.groups())):
        note(f"tokio: skipped, {cargo} is older than {needed[1]}.{needed[2]}")
        return None
    environment = child_environment() | {"CARGO_NET_RETRY": "1", "CARGO_HTTP_TIMEOUT": "20"}
    environment["PATH"] = search
    # What is here already is used without asking the network whether there is more.
    for where in (["--offline"], []):
        fetched = output_of([cargo, "fetch", *where], cwd=project, env=environment)
        if fetched.returncode == 0:
            break
    else:
        reason = [line for line in fetched.stderr.splitlines() if line.strip()] or ["no reason given"]
        note(f"tokio: skipped, its crates cannot be had ({reason[-1].strip()})")
        return None
    target = build_dir / "bench" / "tokio"
    built = output_of([cargo, "build", "--release", "--offline", "--target-dir", str(target)], cwd=project,
                      env=environment)
    if built.returncode != 0:
        raise RuntimeError("the Tokio side does not build:\n" + built.stderr.strip())
    tokio = re.search(r'^tokio = .*"=([\d.]+)"', manifest, re.MULTILINE)
    note(f"tokio: {tokio[1]}, {version[0]} ({cargo})")
    return target / "release" / "tokio-bench"


def build_boost_fiber(build_dir, note):
    """Builds the Boost.Fiber side, a part of the CMake project where the library is installed; its path, or None."""
    program = "boost-fiber-bench"
    # Configured anew, for a library installed since.
    if output_of(["cmake", str(build_dir)]).returncode != 0:
        raise RuntimeError(f"cmake cannot configure '{build_dir}'")
    if program not in output_of(["cmake", "--build", str(build_dir), "--target", "help"]).stdout:
        note("boost_fiber: skipped, Boost.Fiber is not installed (Debian: libboost-fiber-dev)")
        return None
    built = output_of(["cmake", "--build", str(build_dir), "--target", program])
    if built.returncode != 0:
        raise RuntimeError("the Boost.Fiber side does not build:\n" + built.stdout.strip())
    version = re.search(r"^Boost_DIR:PATH=.*-([\d.]+)$", (build_dir / "CMakeCache.txt").read_text(), re.MULTILINE)
    note("boost_fiber: " + (version[1] if version else "of unknown version"))
    return build_dir / "bench" / program


PEERS = {"go": build_go, "tokio": build_tokio, "boost_fiber": build_boost_fiber}


def names_of(binary):
    return output_of([binary, "--list"]).stdout.split()


# ---- Samples ----------------------------------------------------------------------------------------------------


def take_sample(binary, name, procs):
    """One fresh process; the figures it gave as {name: (value, unit)}, and what went wrong or None."""
    command = [binary, "--run", name, "--procs", str(procs)]
    try:
        done = output_of(command, env=child_environment(), timeout=SAMPLE_LIMIT_S)
    except subprocess.TimeoutExpired:
        return {}, f"no result after {SAMPLE_LIMIT_S} s"
    figures, trouble = {}, None
    for line in done.stdout.splitlines():
        try:
            sample = json.loads(line)
        except ValueError:
            trouble = f"printed '{line[:60]}' where a sample was due"
            continue
        if sample["check"] != "ok":
            return {}, sample["check"]
        figures[sample["name"]] = (sample["value"], sample["unit"])
    if done.returncode != 0:
        trouble = ": ".join([f"exit status {done.returncode}", *done.stderr.strip().splitlines()[:1]])
    if trouble or not figures:
        return {}, trouble or "printed no sample"
    return figures, None


class Figure:
    """The samples of one figure at one number of procs, of every contender."""

    def __init__(self, name, unit, procs):
        self.name, self.unit, self.procs = name, unit, procs
        self.samples = {}

    def add(self, contender, value):
        self.samples.setdefault(contender, []).append(value)

    def median(self, contender):
        values = self.samples.get(contender)
        return statistics.median(values) if values else None

    def ratio(self, peer):
        """How many times as long the peer takes; None where that says nothing."""
        ours, theirs = self.median("pirn"), self.median(peer)
        return theirs / ours if ours and theirs and not self.unit.endswith("/s") else None

    def goals(self, targets, at_one):
        """What is to be reached as (of whom, what, ok or MISS); without those that nothing can be held against."""
        goals, ours = [], self.median("pirn")
        own = targets["figures"].get(self.name, {}).get(str(self.procs), {})
        for peer in self.samples:
            least, ratio = least_ratio(self, peer, targets), self.ratio(peer)
            if least is not None and ratio is not None:
                goals.append((peer, f">= {least:g}x", ratio >= least))
        if "max" in own and ours is not None:
            goals.append(("pirn", f"<= {digits(own['max'])}", ours <= own["max"]))
        alone = at_one.median("pirn") if at_one else None
        if "of_one" in own and ours is not None and alone:
            goals.append(("pirn", f"<= {own['of_one']:g}x of 1 proc", ours <= own["of_one"] * alone))
        return [(who, what, "ok" if reached else "MISS") for who, what, reached in goals]


def load_targets():
    return json.loads((HERE / "targets.json").read_text())


def least_ratio(figure, peer, targets):
    """How many times as long the peer is to take at least, or None."""
    procs = str(figure.procs)
    if peer == targets["against"]:
        return targets["figures"].get(figure.name, {}).get(procs, {}).get("ratio")
    wanted = targets["peers"].get(peer)
    # The parts of a figure ("name.part") explain it; only the whole is judged.
    if wanted is None or procs not in wanted["procs"] or "." in figure.name or figure.name in wanted["except"]:
        return None
    return wanted["figures"].get(figure.name, wanted["every"])


def measure(name, procs, rounds, contenders, progress):
    """The figures of one workload, and the failures as (contender, text). A contender that fails is not run again."""
    figures, failures = {}, {}
    for turn in range(rounds):
        order = list(contenders.items())
        for contender, binary in order if turn % 2 == 0 else reversed(order):
            if contender in failures or binary is None:
                continue
            progress(f"{name} at procs={procs}: round {turn + 1} of {rounds}, {contender}")
            values, failure = take_sample(binary, name, procs)
            if failure:
                failures[contender] = failure
            for figure, (value, unit) in values.items():
                figures.setdefault(figure, Figure(figure, unit, procs)).add(contender, value)
    for contender in failures:
        for figure in figures.values():
            figure.samples.pop(contender, None)
    return list(figures.values()) or [Figure(name, "", procs)], failures


# ---- Tables -----------------------------------------------------------------------------------------------------


def digits(value):
    if value is None:
        return "-"
    if value == 0 or value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def ratio_text(ratio):
    return "" if ratio is None else f"{ratio:.2f}x"


def goals_text(goals, peers):
    """The names are told only where there are several."""
    return ", ".join(" ".join([who] * (len(peers) > 1 and who in peers) + [what, verdict]) for who, what, verdict in goals)


def row(figure, peers, goals):
    cells = [f"{figure.name:<25}", f"{figure.procs:>5}", f"{figure.unit:<18}"]
    for contender in ["pirn", *peers]:
        values = figure.samples.get(contender)
        spread = f"({digits(min(values))}-{digits(max(values))})" if values else ""
        cells.append(f"{digits(figure.median(contender)):>7} {spread:<16}")
    cells += [f"{ratio_text(figure.ratio(peer)):>{len(peer) + 5}}" for peer in peers]
    cells.append(f"{goals_text(goals, peers)}")
    return "  ".join(cells).rstrip()


def header(peers):
    cells = [f"{'workload':<25}", "procs", f"{'unit':<18}"]
    cells += [f"{contender + ' median (min-max)':<24}" for contender in ["pirn", *peers]]
    cells += [f"{peer}/pirn" for peer in peers]
    return "  ".join([*cells, "target"])


def grouped(figures):
    """{name: {procs: figure}}, in the order of the run."""
    by_name = {}
    for figure in figures:
        by_name.setdefault(figure.name, {})[figure.procs] = figure
    return by_name


def markdown(figures, peers, procs_list, targets):
    """One line per figure, the numbers of procs side by side."""
    titles = ["workload", "unit"]
    for procs in procs_list:
        at = f" ({procs} proc{'s' if procs > 1 else ''})"
        titles += ["pirn" + at] + [peer + at for peer in peers] + [f"{peer}/pirn" for peer in peers] + ["target"]
    lines = ["| " + " | ".join(titles) + " |", "| --- | --- |" + " ---: |" * (len(titles) - 2)]
    for name, at_procs in grouped(figures).items():
        cells = [name, next((figure.unit for figure in at_procs.values() if figure.unit), "")]
        for procs in procs_list:
            figure = at_procs.get(procs) or Figure(name, "", procs)
            cells += [digits(figure.median(contender)) for contender in ["pirn", *peers]]
            cells += [ratio_text(figure.ratio(peer)) for peer in peers]
            cells.append(goals_text(figure.goals(targets, at_procs.get(1)), peers))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def scaling_table(figures, contenders, procs_list):
    """How each contender's medians change with the procs."""
    lines = ["", "scaling: the median over that of 1 proc. Perfect are 1.00x where the unit says 'each' (every proc does the",
             "same work) and 1/procs where a fixed amount of work can be shared.",
             f"{'workload':<25}  {'contender':<11}  {'unit':<18}  {'1 proc':>8}"
             + "".join(f"  {procs:>4} procs" for procs in procs_list if procs > 1)]
    for name, at_procs in grouped(figures).items():
        for contender in contenders:
            alone = at_procs[1].median(contender) if 1 in at_procs else None
            if not alone:
                continue
            line = f"{name:<25}  {contender:<11}  {at_procs[1].unit:<18}  {digits(alone):>8}"
            for procs in procs_list:
                if procs > 1:
                    median = at_procs[procs].median(contender) if procs in at_procs else None
                    line += f"  {'-' if median is None else f'{median / alone:.2f}x':>10}"
            lines.append(line)
    return "\n".join(lines)


def as_json(figures, peers):
    return [
        {
            "name": figure.name,
            "unit": figure.unit,
            "procs": figure.procs,
            "pirn": figure.median("pirn"),
            "peers": {peer: figure.median(peer) for peer in peers if figure.median(peer) is not None},
        }
        for figure in figures
    ]


# ---- The command ------------------------------------------------------------------------------------------------


def words(text):
    return [word for word in text.split(",") if word]


def procs_of(text):
    numbers = text.split(",")
    if not all(re.fullmatch(r"[1-9]\d{0,3}", number) for number in numbers):
        raise Refused(f"--procs takes numbers from 1, separated by commas, not '{text}'")
    return list(dict.fromkeys(map(int, numbers)))


def parse(arguments):
    parser = Parser(prog="bench", description="Runs the benchmarks of pirn and of its peers, interleaved.",
                    allow_abbrev=False)
    parser.add_argument("--build", required=True, metavar="DIR", help="the build folder that holds bench/pirn-bench")
    parser.add_argument("--peers", default=",".join(PEERS), metavar="P[,P]",
                        help=f"of: {', '.join(PEERS)} (all that this machine has); '' for none")
    parser.add_argument("--only", default="", metavar="NAME[,NAME]", help="these workloads only")
    parser.add_argument("--procs", metavar="N[,N]", help="numbers of procs (1,2)")
    parser.add_argument("--scaling", action="store_true",
                        help="procs 1, 2, 4, 8, 16 as far as there are CPUs, and how each figure changes with them")
    parser.add_argument("--rounds", type=int, metavar="N", help="processes per figure and contender (7; heavy ones fewer)")
    parser.add_argument("--json", metavar="FILE", help="also write the medians there")
    parser.add_argument("--table-md", action="store_true", help="print a Markdown table; all else goes to stderr")
    parser.add_argument("--check-arguments", action="store_true", help="only refuse bad arguments")
    asked = parser.parse_args(arguments)
    asked.build = pathlib.Path(asked.build).resolve()
    asked.peers, asked.only = words(asked.peers), words(asked.only)
    for peer in asked.peers:
        if peer not in PEERS:
            raise Refused(f"unknown peer '{peer}' (known: {', '.join(PEERS)})")
    if asked.scaling and asked.procs is not None:
        raise Refused("--scaling has its own numbers of procs: not together with --procs")
    if asked.scaling:
        cpus = len(os.sched_getaffinity(0))
        asked.procs = [procs for procs in SCALING_PROCS if procs <= cpus]
    else:
        asked.procs = procs_of("1,2" if asked.procs is None else asked.procs)
    if asked.rounds is not None and asked.rounds < 1:
        raise Refused("--rounds takes a number from 1")
    if asked.json and not os.access(pathlib.Path(asked.json).resolve().parent, os.W_OK):
        raise Refused(f"cannot write '{asked.json}'")
    return asked


def busy_cpus():
    """How many CPUs other programs keep busy, over half a second. The load average still remembers our own build."""
    def ticks():
        with open("/proc/stat", encoding="utf-8") as stat:
            fields = [int(field) for field in stat.readline().split()[1:9]]
        return sum(fields), fields[3] + fields[4]
    before = ticks()
    time.sleep(0.5)
    total, idle = (now - then for now, then in zip(ticks(), before))
    return (1 - idle / total) * os.cpu_count() if total else 0.0


def machine_line():
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        model = re.search(r"^model name\s*: (.*)$", cpuinfo.read(), re.MULTILINE)
    busy = busy_cpus()
    line = f"{model[1] if model else os.uname().machine}, {len(os.sched_getaffinity(0))} CPUs, Linux {os.uname().release}"
    return line + (f"; others keep {busy:.1f} CPUs busy: expect distorted figures" if busy >= 0.15 else "")


def main(arguments):
    asked = parse(arguments)
    if asked.check_arguments:
        return 0
    out = sys.stderr if asked.table_md else sys.stdout
    tty = sys.stderr.isatty()

    def progress(text):
        if tty:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    def note(text):
        progress("")
        print(text, file=out, flush=True)

    ours = asked.build / "bench" / "pirn-bench"
    if not os.access(ours, os.X_OK):
        raise Refused(f"no bench/pirn-bench in '{asked.build}': build it first")
    names = names_of(ours)
    for name in asked.only:
        if name not in names:
            raise Refused(f"unknown workload '{name}' (known: {', '.join(names)})")
    names = [name for name in names if name in asked.only] if asked.only else names
    targets = load_targets()

    note(machine_line())
    contenders = {"pirn": ours}
    for peer in asked.peers:
        progress(f"building {peer} ...")
        binary = PEERS[peer](asked.build, note)
        if binary:
            contenders[peer] = binary
    peers = [contender for contender in contenders if contender != "pirn"]
    known = {contender: set(names_of(binary)) for contender, binary in contenders.items()}

    started, figures, failed, verdicts = time.monotonic(), [], [], []
    note(header(peers))
    for name in names:
        at_one = {}
        for procs in asked.procs:
            rounds = asked.rounds or targets["figures"].get(name, {}).get("rounds", targets["rounds"])
            who = {contender: binary for contender, binary in contenders.items() if name in known[contender]}
            taken, failures = measure(name, procs, rounds, who, progress)
            for figure in taken:
                figures.append(figure)
                if procs == 1:
                    at_one[figure.name] = figure
                goals = figure.goals(targets, at_one.get(figure.name))
                verdicts += [verdict for _, _, verdict in goals]
                note(row(figure, peers, goals))
            for contender, text in failures.items():
                failed.append(f"{name} at procs={procs}, {contender}: {text}")
                note("FAILED " + failed[-1])

    if asked.scaling:
        note(scaling_table(figures, list(contenders), asked.procs))
    note(f"{verdicts.count('ok')} targets met, {verdicts.count('MISS')} missed, {len(failed)} workloads failed, "
         f"{time.monotonic() - started:.0f} s")
    if asked.table_md:
        print(markdown(figures, peers, asked.procs, targets))
    if asked.json:
        pathlib.Path(asked.json).write_text(json.dumps(as_json(figures, peers), indent=2) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Refused as refusal:
        print(f"bench: {refusal}", file=sys.stderr)
        sys.exit(2)
    except (RuntimeError, OSError) as trouble:
        print(f"bench: {trouble}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nbench: interrupted", file=sys.stderr)
        sys.exit(130)
