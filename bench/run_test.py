"""Checks run.py with made-up contenders: medians, verdicts, the JSON form, failures and refusals."""

import contextlib
import io
import json
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

    def test_refusals(self):
        for arguments in (["--peers", "tokio"], ["--only", "nix"], ["--procs", "0"], ["--procs", ""], ["--rounds", "0"],
                          ["--rounds", "x"], ["--json", "/nowhere/x"], ["--bogus"], ["--build", "/nowhere"]):
            with self.subTest(arguments), self.assertRaises(run.Refused) as refusal:
                run.main(["--build", str(self.build), *arguments])
            self.assertNotIn("\n", str(refusal.exception))

    def test_targets_name_known_kinds_only(self):
        targets = json.loads((run.HERE / "targets.json").read_text())
        for name, entry in targets["figures"].items():
            for procs, target in entry.items():
                if procs != "rounds":
                    self.assertIn(procs, ("1", "2"), name)
                    self.assertEqual(set(target) & {"ratio", "max"}, set(target), name)


if __name__ == "__main__":
    unittest.main()
