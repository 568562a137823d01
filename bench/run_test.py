"""Checks run.py with made-up contenders: medians, verdicts, the JSON form, failures and refusals."""

import contextlib
import io
import json
import os
import pathlib
import tempfile
import unittest

import run

FAKE = """#!/bin/sh
if [ "$1" = --list ]; then echo gosched_alone; echo parked_1m; exit 0; fi
echo "$2 $4 $GOMAXPROCS" >> "$0.calls"
calls=$(wc -l < "$0.calls")
case "$2" in
gosched_alone) echo '{"name":"gosched_alone","procs":'$4',"value":'$((%d * calls))',"unit":"ns/yield","check":"ok"}' ;;
*) %s ;;
esac
"""
GOOD = """echo '{"name":"parked_1m","procs":'$4',"value":5000,"unit":"bytes each","check":"ok"}'"""
BAD = """echo '{"name":"parked_1m","procs":'$4',"value":0,"unit":"bytes each","check":"failed: lost one"}'; exit 1"""
CRASH = "echo half a line; echo 'panic: broken' >&2; exit 2"
REAL_PEERS = run.PEERS


class RunTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)
        (self.build / "bench").mkdir()
        self.contender("pirn-bench", 10, GOOD)
        self.addCleanup(setattr, run, "PEERS", run.PEERS)
        run.PEERS = {"go": lambda build, note: self.contender("go-bench", 100, GOOD)}

    def contender(self, name, factor, parked):
        path = self.build / "bench" / name
        path.write_text(FAKE % (factor, parked))
        path.chmod(0o755)
        return path

    def bench(self, *arguments):
        text = io.StringIO()
        result = self.build / "result.json"
        with contextlib.redirect_stdout(text):
            status = run.main(["--build", str(self.build), "--json", str(result), *arguments])
        return status, text.getvalue(), json.loads(result.read_text())

    def test_medians_of_all_rounds_and_the_ratio_target(self):
        status, text, result = self.bench("--only", "gosched_alone", "--procs", "2", "--rounds", "3")
        self.assertEqual(status, 0)
        self.assertEqual(
            result, [{"name": "gosched_alone", "unit": "ns/yield", "procs": 2, "pirn": 20, "peers": {"go": 200}}]
        )
        self.assertRegex(text, r"gosched_alone .* 10\.00x +>= 8x ok")
        self.assertIn("1 targets met, 0 missed", text)

    def test_a_missed_target_is_no_failure(self):
        status, text, _ = self.bench("--only", "parked_1m", "--procs", "1", "--rounds", "1")
        self.assertEqual(status, 0)
        self.assertRegex(text, r"parked_1m .*<= 4915 MISS")

    def test_a_failed_check_has_no_figure_and_status_1(self):
        self.contender("pirn-bench", 10, BAD)
        status, text, result = self.bench("--only", "parked_1m", "--procs", "1", "--rounds", "2")
        self.assertEqual(status, 1)
        self.assertIn("FAILED parked_1m at procs=1, pirn: failed: lost one", text)
        self.assertIsNone(result[0]["pirn"])
        self.assertEqual(result[0]["peers"], {"go": 5000})

    def test_a_crash_of_a_peer_leaves_our_figure(self):
        run.PEERS = {"go": lambda build, note: self.contender("go-bench", 100, CRASH)}
        status, text, result = self.bench("--only", "parked_1m", "--procs", "1", "--rounds", "2")
        self.assertEqual(status, 1)
        self.assertIn("FAILED parked_1m at procs=1, go: exit status 2: panic: broken", text)
        self.assertEqual((result[0]["pirn"], result[0]["peers"]), (5000, {}))

    def test_without_the_peer_its_target_is_not_judged(self):
        run.PEERS = {"go": lambda build, note: None}
        status, text, result = self.bench("--only", "gosched_alone", "--procs", "1", "--rounds", "1")
        self.assertEqual((status, result[0]["peers"]), (0, {}))
        self.assertNotRegex(text, r"ok|MISS")

    def test_markdown_puts_the_procs_side_by_side(self):
        text = io.StringIO()
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(io.StringIO()):
            run.main(["--build", str(self.build), "--only", "gosched_alone", "--rounds", "1", "--table-md"])
        lines = text.getvalue().splitlines()
        self.assertEqual(len(lines), 3)
        self.assertEqual(
            lines[2], "| gosched_alone | ns/yield | 10.0 | 100 | 10.00x | >= 8x ok | 20.0 | 200 | 10.00x | >= 8x ok |"
        )

    def test_every_peer_has_its_own_target(self):
        run.PEERS["tokio"] = lambda build, note: self.contender("tokio-bench", 20, GOOD)
        status, text, result = self.bench("--only", "gosched_alone", "--procs", "1", "--rounds", "1")
        self.assertEqual((status, result[0]["peers"]), (0, {"go": 100, "tokio": 20}))
        self.assertRegex(text, r"10\.00x +2\.00x +go >= 8x ok, tokio >= 2\.5x MISS")
        self.assertIn("1 targets met, 1 missed", text)

    def test_a_peer_is_to_be_slower_where_nothing_else_is_asked(self):
        figure = run.Figure("sieve_500", "ms", 2)
        self.assertEqual(run.least_ratio(figure, "tokio", run.load_targets()), 1)
        self.assertIsNone(run.least_ratio(run.Figure("sieve_500", "ms", 4), "tokio", run.load_targets()))
        self.assertIsNone(run.least_ratio(run.Figure("parked_1m.rss", "bytes", 1), "boost_fiber", run.load_targets()))
        self.assertIsNone(run.least_ratio(run.Figure("parked_1m", "bytes", 1), "tokio", run.load_targets()))

    def test_a_target_may_be_the_figure_of_one_proc(self):
        at_one, at_two = run.Figure("rwmutex_read", "ns", 1), run.Figure("rwmutex_read", "ns", 2)
        at_one.add("pirn", 10)
        at_two.add("pirn", 10.6)
        self.assertEqual(at_two.goals(run.load_targets(), at_one), [("pirn", "<= 1.05x of 1 proc", "MISS")])
        self.assertEqual(at_two.goals(run.load_targets(), None), [])
        at_one.add("pirn", 12)
        self.assertEqual(at_two.goals(run.load_targets(), at_one), [("pirn", "<= 1.05x of 1 proc", "ok")])

    def test_scaling_takes_as_many_procs_as_there_are_cpus(self):
        self.addCleanup(setattr, run.os, "sched_getaffinity", run.os.sched_getaffinity)
        run.os.sched_getaffinity = lambda pid: set(range(6))
        status, text, result = self.bench("--scaling", "--only", "gosched_alone", "--rounds", "1")
        self.assertEqual((status, [figure["procs"] for figure in result]), (0, [1, 2, 4]))
        # A fake's n-th sample is n times its first.
        self.assertRegex(text, r"gosched_alone +pirn +ns/yield +10\.0 +2\.00x +3\.00x\n")
        self.assertRegex(text, r"gosched_alone +go +ns/yield +100 +2\.00x +3\.00x\n")

    def test_procs_are_a_list(self):
        _, _, result = self.bench("--only", "gosched_alone", "--procs", "4,1,4", "--rounds", "1")
        self.assertEqual([figure["procs"] for figure in result], [4, 1])

    def test_bad_arguments_can_be_refused_before_there_is_a_build(self):
        self.assertEqual(run.main(["--build", "/nowhere", "--check-arguments", "--peers", "go"]), 0)
        with self.assertRaisesRegex(run.Refused, r"unknown peer 'node' \(known: go\)"):
            run.main(["--build", "/nowhere", "--check-arguments", "--peers", "go,node"])

    def tool(self, name, script):
        path = self.build / name
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        return path

    def built(self, peer):
        notes = []
        binary = REAL_PEERS[peer](self.build, notes.append)
        return binary, notes

    def only_tools_of_ours(self):
        for name, value in (("PATH", f"{self.build}:/usr/bin:/bin"), ("HOME", str(self.build))):
            self.addCleanup(os.environ.__setitem__, name, os.environ.get(name, ""))
            os.environ[name] = value

    def test_tokio_is_skipped_without_its_crates(self):
        self.only_tools_of_ours()
        self.tool("cargo", 'case $1 in --version) echo "cargo 1.95.0 (x)";; *) echo "error: no network" >&2; exit 101;; esac')
        self.assertEqual(self.built("tokio"), (None, ["tokio: skipped, its crates cannot be had (error: no network)"]))

    def test_tokio_is_skipped_with_an_old_cargo(self):
        self.only_tools_of_ours()
        cargo = self.tool("cargo", 'echo "cargo 1.63.0 (x)"')
        self.assertEqual(self.built("tokio"), (None, [f"tokio: skipped, {cargo} is older than 1.85"]))

    def test_a_tokio_side_that_does_not_build_is_an_error(self):
        self.only_tools_of_ours()
        self.tool("cargo", 'case $1 in --version) echo "cargo 1.95.0 (x)";; build) echo broken >&2; exit 101;; esac')
        with self.assertRaisesRegex(RuntimeError, "the Tokio side does not build:\nbroken"):
            self.built("tokio")

    def test_boost_fiber_is_skipped_where_the_project_lacks_it(self):
        self.only_tools_of_ours()
        self.tool("cmake", "echo all clean pirn-bench")
        self.assertEqual(self.built("boost_fiber"), (
            None, ["boost_fiber: skipped, Boost.Fiber is not installed (Debian: libboost-fiber-dev)"]))

    def test_boost_fiber_is_built_where_the_project_has_it(self):
        self.only_tools_of_ours()
        self.tool("cmake", "echo boost-fiber-bench")
        (self.build / "CMakeCache.txt").write_text("Boost_DIR:PATH=/usr/lib/cmake/Boost-1.74.0\n")
        self.assertEqual(self.built("boost_fiber"),
                         (self.build / "bench" / "boost-fiber-bench", ["boost_fiber: 1.74.0"]))

    def test_refusals(self):
        for arguments in (["--peers", "node"], ["--only", "nix"], ["--procs", "0"], ["--procs", ""], ["--rounds", "0"],
                          ["--procs", "1,,2"], ["--procs", "1,x"], ["--scaling", "--procs", "1"],
                          ["--rounds", "x"], ["--json", "/nowhere/x"], ["--bogus"], ["--build", "/nowhere"]):
            with self.subTest(arguments), self.assertRaises(run.Refused) as refusal:
                run.main(["--build", str(self.build), *arguments])
            self.assertNotIn("\n", str(refusal.exception))

    def test_targets_name_known_kinds_only(self):
        targets = run.load_targets()
        for name, entry in targets["figures"].items():
            for procs, target in entry.items():
                if procs != "rounds":
                    self.assertIn(int(procs), run.SCALING_PROCS, name)
                    self.assertEqual(set(target) & {"ratio", "max", "of_one"}, set(target), name)
        self.assertEqual({targets["against"], *targets["peers"]}, set(REAL_PEERS))


if __name__ == "__main__":
    unittest.main()
